"""Pane 3: scores of every variant; beside published and recorded ones; compared; recommended; over sparsity."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from core.errors import UsageError
from core.spec import REFERENCES
from tui import keys
from tui.panes.report import ReportPane
from tui.views.findings import CompareView, CurvesView, RecommendView
from tui.views.scores import PublishedView, RecordedView, ScoresView
from tui.views.view import AnyView

TABLE, PUBLISHED, RECORDED, COMPARE, RECOMMEND, CURVES = range(6)


class ScoresPane(ReportPane):
    """Six views of the scores."""

    BINDINGS = keys.bindings("scores")
    scores, comparison = ScoresView(), CompareView()
    views: ClassVar[tuple[AnyView, ...]] = (
        scores,
        PublishedView(),
        RecordedView(),
        comparison,
        RecommendView(),
        CurvesView(),
    )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer a key only in the views that it applies to."""
        views_of = {
            "first": (TABLE, PUBLISHED, RECORDED),
            "compare": (TABLE, PUBLISHED, RECORDED, COMPARE),
            "other": (COMPARE,),
            "swap": (COMPARE,),
            "edition": (PUBLISHED,),
            "budget": (RECOMMEND,),
            "knowledge": (RECOMMEND,),
        }
        return self.at in views_of.get(action, (self.at,)) and super().check_action(action, parameters)

    def turn(self, at: int) -> None:
        """Show another view and its keys."""
        super().turn(at)
        self.refresh_bindings()

    def _partners(self, label: str) -> list[str]:
        """Other variants run here that share a benchmark with this one, in the table's order."""
        own = {r["label"]: set(r["benchmarks"]) for r in self.records_of(self.scores) if r["origin"] not in REFERENCES}
        return [other for other, names in own.items() if other != label and names & own.get(label, set())]

    def _own(self) -> str | None:
        """The label of the row under the cursor, where it was run here and is no reference."""
        record = self.record
        return str(record["label"]) if record is not None and record.get("origin") not in (None, *REFERENCES) else None

    def action_first(self) -> None:
        """Take the variant under the cursor as A."""
        label = self._own()
        if label is not None:
            self.choices = replace(self.choices, one=label, other="")
            self.notify(f"A is {label}. c compares the variant under the cursor with it.", markup=False)

    def action_compare(self) -> None:
        """Compare A, or the first variant, with the one under the cursor; from the comparison go back to the table."""
        if self.at == COMPARE:
            self.turn(TABLE)
            return
        label = self._own()
        if label is None:
            return
        partners = self._partners(label)
        one = self.choices.one if self.choices.one in partners else next(iter(partners), "")
        self.choose(replace(self.choices, one=one, other=label))
        self.turn(COMPARE)

    def action_other(self, step: int) -> None:
        """Take the next or previous variant as B."""
        labels = self._partners(self.choices.one)
        if labels:
            at = labels.index(self.choices.other) if self.choices.other in labels else -step
            self.choose(replace(self.choices, other=labels[(at + step) % len(labels)]))

    def action_swap(self) -> None:
        """Swap A and B."""
        self.choose(replace(self.choices, one=self.choices.other, other=self.choices.one))

    def action_follow(self) -> None:
        """Open the flipped questions of a comparison; in other views the responses behind the cell."""
        if self.at != COMPARE:
            super().action_follow()
        elif (compared := self.record_of(self.comparison)) is not None:
            from tui.dialogs.flips import FlipsScreen

            self.app.push_screen(FlipsScreen(self.workbench.store, compared))

    def action_budget(self) -> None:
        """Ask for the memory budget."""
        from tui.dialogs.messages import Ask

        self.app.push_screen(Ask("How much memory is there?", "such as 24GB or 80GiB", self.choices.memory), self._set_budget)

    def _set_budget(self, memory: str | None) -> None:
        from core.results.tables.recommend import memory_of

        if memory is None:
            return
        try:
            memory_of(memory)
        except UsageError as error:
            self.workbench.tell(error)
            return
        self.choose(replace(self.choices, memory=memory.strip()))

    def action_knowledge(self) -> None:
        """Weigh what a model knows in the recommendation, or not."""
        self.choose(replace(self.choices, knowledge=not self.choices.knowledge))
