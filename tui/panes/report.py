"""What Scores and Lengths share: views whose tables can be sorted, filtered, plotted and copied.

A view's records are computed in a thread worker when it is first shown and when responses or verdicts have changed. The old
table stays until the new one is ready.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import DataTable, Static
from textual.worker import get_current_worker

from core.errors import LrmError
from core.results.show.plots import Plot
from core.results.tables.printed import EDITIONS
from core.store.connection import opened
from tui.background import hand_back
from tui.panes.pane import Pane
from tui.shown import safe
from tui.views.view import AnyView, Choices, Record, RowT, View
from tui.widgets.empty import Empty
from tui.widgets.filter_line import FilterLine
from tui.widgets.finder import Finder
from tui.widgets.table import Column, RowTable

State = tuple[object, ...]
"""What a view's records were computed from: counts of responses and reviews, and the choices that the view uses."""


class ReportPane(Pane):
    """Base of both panes; subclasses set `views`."""

    views: ClassVar[tuple[AnyView, ...]] = ()
    empty = """Nothing has finished yet.

Tables appear here as soon as a run has finished responses; `lrm-tui import` brings in outputs made elsewhere.
1 goes to the queue, where n queues runs."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.at = 0
        self.choices = Choices(memory=_memory())
        self.filter = ""
        self.sorts: dict[str, tuple[str, bool]] = {}
        self._records: dict[str, Sequence[Record]] = {}
        self._computed: dict[str, State] = {}
        self._requested: dict[str, State] = {}
        self._shown: dict[str, Record] = {}
        self._trouble = ""

    def compose(self) -> ComposeResult:
        """The views' names, a title, the table, a plot, a line about the row under the cursor, and the filter line."""
        yield Static(id="report-views")
        yield Static(id="report-title")
        yield RowTable((), fixed=1, cursor="cell", id="report-table")
        yield Empty(id="no-report")
        yield Static(id="report-plot")
        yield Static(id="about")
        yield FilterLine(id="report-filter")

    @property
    def view(self) -> AnyView:
        """The view that is shown."""
        return self.views[self.at]

    @property
    def records(self) -> Sequence[Record]:
        """The records of the view that is shown; empty until they have been computed."""
        return self._records.get(self.view.name, ())

    def records_of(self, view: View[RowT]) -> Sequence[RowT]:
        """The records of one of the views, shown or not; empty until they have been computed."""
        return cast(Sequence[RowT], self._records.get(view.name, ()))

    def record_of(self, view: View[RowT]) -> RowT | None:
        """The record under the cursor where this view is the one that is shown."""
        return cast(RowT | None, self.record) if view is self.view else None

    @property
    def front(self) -> Widget:
        """The table, or the text in its place."""
        return self.table if self.table.display else self.query_one(Empty)

    def show(self) -> None:
        """Draw the pane and focus it."""
        self.draw()
        self.front.focus()

    def draw(self) -> None:
        """Draw the view, and compute it again where responses or verdicts have changed since."""
        finished = self.snapshot.finished_responses if self.snapshot else 0
        if not finished:
            self._records.clear()
            self._computed.clear()
            self._requested.clear()
            self._show()
            return
        view = self.view
        choices = tuple(getattr(self.choices, name) for name in view.uses)
        state = (finished, self.snapshot.reviews if self.snapshot else 0, choices)
        if state not in (self._computed.get(view.name), self._requested.get(view.name)):
            self._requested[view.name] = state
            self._compute(view, self.choices, state)
        self._show()

    @work(thread=True, group="report")
    def _compute(self, view: AnyView, choices: Choices, state: State) -> None:
        from core.results.summary_cache import cache_missing

        trouble: str = ""
        records: Sequence[Record] = ()
        try:
            if not self.workbench.readonly:
                cache_missing(self.workbench.store)
            with opened(self.workbench.store, "reader") as connection:
                records = view.records(connection, choices)
        except (LrmError, FileNotFoundError) as error:
            trouble = str(error)
        if not get_current_worker().is_cancelled:
            hand_back(self, self._take, view, state, records, trouble)

    def _take(self, view: AnyView, state: State, records: Sequence[Record], trouble: str) -> None:
        if self._requested.get(view.name) != state:
            return  # a newer computation is under way
        self._computed[view.name], self._records[view.name], self._trouble = state, records, trouble
        if view is self.view:
            self._show()

    def _show(self) -> None:
        """Draw the view's records as far as they have been computed."""
        view, width = self.view, self.size.width
        records = self._sorted([record for record in self.records if self._passes(record)])
        self._shown = {view.key(record): record for record in records}
        table = self.table
        table.sync([(key, view.cells(record, width)) for key, record in self._shown.items()], self._columns(records, width))
        self._heads()
        waiting = self._requested.get(view.name) != self._computed.get(view.name)
        finished = bool(self.snapshot and self.snapshot.finished_responses)
        reason = self._trouble or ("Computing …" if waiting else view.nothing(self.choices) if finished else self.empty)
        if self.records and not records:
            reason = f"No row holds {self.filter!r}.\n\n/ changes the filter, escape drops it."
        self.query_one(Empty).instead_of(table, None if records else reason)
        self._about()

    def _columns(self, records: Sequence[Record], width: int) -> Sequence[Column]:
        """The view's columns, with an arrow at the one that it is sorted by."""
        column, falling = self.sorts.get(self.view.name, ("", False))
        arrow = "▼" if falling else "▲"
        return [
            replace(c, label=f"{arrow}{c.label}"[: c.width] if c.key == column else c.label)
            for c in self.view.columns(records, width)
        ]

    def _heads(self) -> None:
        names = Text(no_wrap=True, overflow="ellipsis")
        for number, view in enumerate(self.views):
            names.append(f" {view.name} ", "reverse" if number == self.at else "").append(" ")
        names.append("v next", "dim")
        if self.filter:
            names.append_text(safe(f"   filter: {self.filter}", "yellow"))
        self.query_one("#report-views", Static).update(names)
        self.query_one("#report-title", Static).update(safe(self.view.title(self.records, self.choices), "dim"))

    def _passes(self, record: Record) -> bool:
        text = self.view.words(record).lower()
        return all(word in text for word in self.filter.lower().split())

    def _sorted(self, records: list[Record]) -> list[Record]:
        if self.view.name not in self.sorts:
            return records
        column, falling = self.sorts[self.view.name]
        known = [record for record in records if self.view.value(record, column) is not None]
        known.sort(key=lambda record: _sort_key(self.view.value(record, column)), reverse=falling)
        return known + [record for record in records if self.view.value(record, column) is None]

    def on_resize(self) -> None:
        """Draw again: cells show more on wide screens."""
        if self.records:
            self.call_after_refresh(self._show)

    @property
    def record(self) -> Record | None:
        """The record under the cursor."""
        return self._shown.get(self.table.selected or "")

    @on(DataTable.CellHighlighted)
    def _about(self) -> None:
        record = self.record
        about = self.query_one("#about", Static)
        about.update(self.view.about(record) if record else Text())
        about.display = record is not None
        plot = self.query_one("#report-plot", Static)
        plot.display = self.view.plotted and record is not None
        if self.view.plotted and record is not None:
            self.call_after_refresh(self._plot)

    def _plot(self) -> None:
        from core.results.show.terminal_plot import terminal_plot

        record = self.record
        plot = self.view.plot(record, self.records) if record is not None and self.view.plotted else None
        area = self.query_one("#report-plot", Static)
        if plot is None or area.size.height < 5:
            area.update(Text())
            return
        ascii, legend = self.workbench.look.ascii, _legend(plot)
        drawn = terminal_plot(plot.series, area.size.width, area.size.height - 1, plot.x_label, ascii)
        area.update(Text("\n").join([legend, Text.from_ansi(drawn, no_wrap=True)]))

    def action_view(self, step: int) -> None:
        """Show the next or previous view."""
        self.turn((self.at + step) % len(self.views))

    def turn(self, at: int) -> None:
        """Show a view by its number."""
        self.at, self._trouble = at, ""
        self.table.scroll_to(0, 0, animate=False)
        self.draw()
        self.front.focus()

    def action_sort(self) -> None:
        """Sort by the column under the cursor: falling, rising, unsorted."""
        column, name = self.table.selected_column, self.view.name
        if column is None:
            return
        before = self.sorts.get(name)
        if before is None or before[0] != column:
            self.sorts[name] = (column, True)
        elif before[1]:
            self.sorts[name] = (column, False)
        else:
            del self.sorts[name]
        self._show()

    def action_filter(self) -> None:
        """Open the filter line."""
        self.query_one(FilterLine).begin(self.filter)

    @on(Finder.Search)
    def _filter_typed(self, message: Finder.Search) -> None:
        self.filter = message.text.strip()
        self._show()

    @on(Finder.Closed)
    def _filter_closed(self) -> None:
        self.front.focus()

    def action_clear(self) -> None:
        """Drop the filter."""
        self.filter = ""
        self._show()

    def action_follow(self) -> None:
        """Go to the responses behind the cell under the cursor."""
        behind = self.view.follow(self.record, self.table.selected_column or "") if self.record else None
        if behind is not None:
            self.workbench.browse(behind)

    def action_copy(self) -> None:
        """Copy the table as tab-separated text."""
        columns = self._columns(list(self._shown.values()), self.size.width)
        rows = ["\t".join(column.label for column in columns)]
        for record in self._shown.values():
            cells = self.view.cells(record, self.size.width)
            rows.append("\t".join(cells[c.key].plain.strip() if c.key in cells else "" for c in columns))
        self.workbench.copy("\n".join(rows) + "\n", f"{self.id}-{self.view.name.lower()}")

    def choose(self, choices: Choices) -> None:
        """Change choices; views that use what has changed are computed again."""
        self.choices = choices
        self.draw()

    def action_edition(self) -> None:
        """Compare with the next edition of the paper, in every pane."""
        edition = EDITIONS[(EDITIONS.index(self.choices.edition) + 1) % len(EDITIONS)]
        for pane in self.app.query(ReportPane):
            pane.choices = replace(pane.choices, edition=edition)
        self.draw()

    def remember(self) -> dict[str, object]:
        """View, filter, sort orders, choices and cursor."""
        choices = {name: getattr(self.choices, name) for name in Choices.__slots__}
        return {**super().remember(), "view": self.view.name, "filter": self.filter, "sorts": self.sorts, "choices": choices}

    def restore(self, state: Mapping[str, object]) -> None:
        """See `Pane`."""
        super().restore(state)
        names = [view.name for view in self.views]
        view = state.get("view")
        self.at = names.index(view) if isinstance(view, str) and view in names else 0
        self.filter = str(state.get("filter") or "")
        if isinstance(sorts := state.get("sorts"), dict):
            pairs = {name: tuple(sort) for name, sort in sorts.items() if name in names and isinstance(sort, list | tuple)}
            self.sorts = {name: (str(s[0]), bool(s[1])) for name, s in pairs.items() if len(s) == 2}
        if isinstance(choices := state.get("choices"), dict):
            valid: dict[str, Any] = {n: v for n, v in choices.items() if type(v) is type(getattr(self.choices, n, None))}
            if valid.get("edition") not in EDITIONS:
                valid.pop("edition", None)
            self.choices = replace(self.choices, **valid)


def _legend(plot: Plot) -> Text:
    """The names of a plot's lines, each with its marker."""
    from core.results.show.terminal_plot import MARKERS, colour_of

    legend = Text(no_wrap=True, overflow="ellipsis")
    for number, one in enumerate(plot.series):
        legend.append(f" {MARKERS[number % len(MARKERS)]} ", f"bold {colour_of(number)}").append_text(safe(f"{one.name}  "))
    return legend


def _sort_key(value: float | str | None) -> tuple[float, str]:
    """Sorts numbers by size and texts by letter, regardless of case."""
    return (0.0, value.lower()) if isinstance(value, str) else (float(value or 0), "")


def _memory() -> str:
    """The memory of this machine, the budget to start with."""
    from psutil import virtual_memory

    return f"{virtual_memory().total / 1e9:.0f}GB"
