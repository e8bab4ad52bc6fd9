"""What Scores and Lengths share: views over tables that are computed aside, sorted, filtered, plotted and followed.

A view's records are computed by a thread worker on the first visit and when responses or verdicts have changed, so that keys
are answered meanwhile; the table that was there stays until the new one is ready.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import DataTable, Static
from textual.worker import get_current_worker

from core.errors import LrmError
from core.results.show.plots import Plot
from core.store.connection import opened
from tui.background import hand_back
from tui.panes.pane import Pane
from tui.shown import safe
from tui.views.view import Choices, Record, View
from tui.widgets.empty import Empty
from tui.widgets.filter_line import FilterLine
from tui.widgets.finder import Finder
from tui.widgets.table import Column, RowTable

State = tuple[object, ...]


class ReportPane(Pane):
    """Subclasses name their views."""

    views: ClassVar[tuple[View, ...]] = ()
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
        self._wanted: dict[str, State] = {}
        self._shown: dict[str, Record] = {}
        self._trouble = ""

    def compose(self) -> ComposeResult:
        """The views, what the numbers are, the table, a plot, a line about the row under the cursor, and the filter."""
        yield Static(id="report-views")
        yield Static(id="report-title")
        yield RowTable((), fixed=1, cursor="cell", id="report-table")
        yield Empty(id="no-report")
        yield Static(id="report-plot")
        yield Static(id="about")
        yield FilterLine(id="report-filter")

    @property
    def view(self) -> View:
        """The one that is shown."""
        return self.views[self.at]

    @property
    def records(self) -> Sequence[Record]:
        """What it has computed so far."""
        return self._records.get(self.view.name, ())

    @property
    def front(self) -> Widget:
        """The table, or what stands in its place."""
        return self.table if self.table.display else self.query_one(Empty)

    def show(self) -> None:
        """Come to the front."""
        self.draw()
        self.front.focus()

    def draw(self) -> None:
        """Compute anew where responses have finished, or verdicts changed, since."""
        finished = self.snapshot.finished_responses if self.snapshot else 0
        if not finished:
            self._records.clear()
            self._computed.clear()
            self._wanted.clear()
            self._show()
            return
        view = self.view
        used = tuple(getattr(self.choices, name) for name in view.uses)
        state = (finished, self.snapshot.reviews if self.snapshot else 0, used)
        if state not in (self._computed.get(view.name), self._wanted.get(view.name)):
            self._wanted[view.name] = state
            self._compute(view, self.choices, state)
        self._show()

    @work(thread=True, group="report")
    def _compute(self, view: View, choices: Choices, state: State) -> None:
        from core.results.digests import prepare

        trouble: str = ""
        records: Sequence[Record] = ()
        try:
            if not self.owner.readonly:
                prepare(self.owner.store)
            with opened(self.owner.store, "reader") as connection:
                records = view.records(connection, choices)
        except (LrmError, FileNotFoundError) as error:
            trouble = str(error)
        if not get_current_worker().is_cancelled:
            hand_back(self, self._take, view, state, records, trouble)

    def _take(self, view: View, state: State, records: Sequence[Record], trouble: str) -> None:
        if self._wanted.get(view.name) != state:
            return  # another one is under way
        self._computed[view.name], self._records[view.name], self._trouble = state, records, trouble
        if view is self.view:
            self._show()

    def _show(self) -> None:
        """Draw what is there of this view."""
        view, width = self.view, self.size.width
        records = self._sorted([record for record in self.records if self._passes(record)])
        self._shown = {view.key(record): record for record in records}
        table = self.table
        table.sync([(key, view.cells(record, width)) for key, record in self._shown.items()], self._columns(records, width))
        self._heads()
        waiting = self._wanted.get(view.name) != self._computed.get(view.name)
        finished = bool(self.snapshot and self.snapshot.finished_responses)
        none = self._trouble or ("Computing …" if waiting else view.nothing(self.choices) if finished else self.empty)
        if self.records and not records:
            none = f"No row holds {self.filter!r}.\n\n/ changes the filter, escape drops it."
        self.query_one(Empty).instead_of(table, None if records else none)
        self._about()

    def _columns(self, records: Sequence[Record], width: int) -> Sequence[Column]:
        """The view's, with an arrow at the one that it is sorted by."""
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
        known.sort(key=lambda record: _place(self.view.value(record, column)), reverse=falling)
        return known + [record for record in records if self.view.value(record, column) is None]

    def on_resize(self) -> None:
        """Wide screens show more in a cell."""
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
        found = self.view.plot(record, self.records) if record is not None and self.view.plotted else None
        area = self.query_one("#report-plot", Static)
        if found is None or area.size.height < 5:
            area.update(Text())
            return
        ascii, legend = self.owner.look.ascii, _legend(found)
        drawn = terminal_plot(found.series, area.size.width, area.size.height - 1, found.x_label, ascii)
        area.update(Text("\n").join([legend, Text.from_ansi(drawn, no_wrap=True)]))

    def action_view(self, step: int) -> None:
        """Another view."""
        self.turn((self.at + step) % len(self.views))

    def turn(self, at: int) -> None:
        """Show a view by its number."""
        self.at, self._trouble = at, ""
        self.table.scroll_to(0, 0, animate=False)
        self.draw()
        self.front.focus()

    def action_sort(self) -> None:
        """Sort by the column under the cursor: falling, rising, as it came."""
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
        """Type words that rows must hold."""
        self.query_one(FilterLine).begin(self.filter)

    @on(Finder.Sought)
    def _sought(self, message: Finder.Sought) -> None:
        self.filter = message.text.strip()
        self._show()

    @on(Finder.Left)
    def _filter_left(self) -> None:
        self.front.focus()

    def action_clear(self) -> None:
        """Drop the filter."""
        self.filter = ""
        self._show()

    def action_follow(self) -> None:
        """The responses behind the cell under the cursor."""
        wanted = self.view.follow(self.record, self.table.selected_column or "") if self.record else None
        if wanted is not None:
            self.owner.browse(wanted)

    def action_copy(self) -> None:
        """Copy the table as tab-separated text."""
        columns = self._columns(list(self._shown.values()), self.size.width)
        rows = ["\t".join(column.label for column in columns)]
        for record in self._shown.values():
            cells = self.view.cells(record, self.size.width)
            rows.append("\t".join(cells[c.key].plain.strip() if c.key in cells else "" for c in columns))
        self.owner.copy("\n".join(rows) + "\n", f"{self.id}-{self.view.name.lower()}")

    def choose(self, **changed: Any) -> None:  # noqa: ANN401 - the fields of Choices
        """Other choices; views that use them compute anew."""
        self.choices = replace(self.choices, **changed)
        self.draw()

    def remember(self) -> dict[str, Any]:
        """View, filter, orders, choices and cursor."""
        chosen = {name: getattr(self.choices, name) for name in Choices.__slots__}
        return {**super().remember(), "view": self.view.name, "filter": self.filter, "sorts": self.sorts, "choices": chosen}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """See `Pane`."""
        super().restore(kept)
        names = [view.name for view in self.views]
        self.at = names.index(kept["view"]) if kept.get("view") in names else 0
        self.filter = str(kept.get("filter") or "")
        if isinstance(sorts := kept.get("sorts"), dict):
            pairs = {name: tuple(sort) for name, sort in sorts.items() if name in names and isinstance(sort, list | tuple)}
            self.sorts = {name: (str(s[0]), bool(s[1])) for name, s in pairs.items() if len(s) == 2}
        if isinstance(choices := kept.get("choices"), dict):
            fit: dict[str, Any] = {n: v for n, v in choices.items() if type(v) is type(getattr(self.choices, n, None))}
            self.choices = replace(self.choices, **fit)


def _legend(plot: Plot) -> Text:
    """The names of the lines with their signs."""
    from core.results.show.terminal_plot import MARKERS, colour_of

    legend = Text(no_wrap=True, overflow="ellipsis")
    for number, one in enumerate(plot.series):
        legend.append(f" {MARKERS[number % len(MARKERS)]} ", f"bold {colour_of(number)}").append_text(safe(f"{one.name}  "))
    return legend


def _place(value: float | str | None) -> tuple[float, str]:
    """Numbers by size, then texts by letter."""
    return (0.0, value.lower()) if isinstance(value, str) else (float(value or 0), "")


def _memory() -> str:
    """The memory of this machine, as a first budget."""
    from psutil import virtual_memory

    return f"{virtual_memory().total / 1e9:.0f}GB"
