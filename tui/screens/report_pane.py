"""What Scores and Lengths share: a table computed by a thread worker on the first visit and when responses finished."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.widgets import DataTable, Static

from core.errors import LrmError
from tui.access import opened
from tui.screens.pane import Pane
from tui.shown import lines
from tui.widgets.table import Cells, Column, RowTable

Record = Mapping[str, Any]


class ReportPane(Pane):
    """Subclasses say how to compute the records and how to show them."""

    empty = "Nothing has finished yet."
    _computed_at: int | None = None
    _records: Sequence[Record] = ()

    def compose(self) -> ComposeResult:
        """A title, the table, and a line about the row under the cursor."""
        yield Static(id="report-title")
        yield RowTable((), fixed=1)
        yield Static(id="about")

    def draw(self) -> None:
        """Compute anew where responses have finished since."""
        finished = self.snapshot.finished_responses if self.snapshot else 0
        if finished != self._computed_at:
            self._computed_at = finished
            self._say("Computing …" if finished else self.empty)
            if finished:
                self._compute()

    def again(self) -> None:
        """Forget the table and compute it anew."""
        self._computed_at = None
        self.draw()

    @work(thread=True, exclusive=True, group="report")
    def _compute(self) -> None:
        from core.analysis.digests import prepare

        try:
            prepare(self.owner.store)
            with opened(self.owner.store, "reader") as connection:
                records = self.records(connection)
        except (LrmError, FileNotFoundError) as error:
            self.app.call_from_thread(self._say, str(error))
            return
        self.app.call_from_thread(self._show, records)

    def _say(self, text: str) -> None:
        self.query_one("#report-title", Static).update(lines(text, "dim"))

    def _show(self, records: Sequence[Record]) -> None:
        self._records = records
        rows = [(self.key(record), self.cells(record)) for record in records]
        self.table.sync(rows, self.columns(records))
        self._say(self.title(records) if records else self.empty)
        self._about()

    def on_resize(self) -> None:
        """Wide screens show more in a cell."""
        if self._records:
            self.call_after_refresh(self._show, self._records)

    @on(DataTable.RowHighlighted)
    def _about(self) -> None:
        key = self.table.selected
        record = next((r for r in self._records if self.key(r) == key), None)
        self.query_one("#about", Static).update(self.about(record) if record else Text())

    def records(self, connection: sqlite3.Connection) -> Sequence[Record]:
        """The records, computed in a thread."""
        raise NotImplementedError

    def title(self, records: Sequence[Record]) -> str:
        """What the numbers are."""
        raise NotImplementedError

    def columns(self, records: Sequence[Record]) -> Sequence[Column]:
        """The columns for these records."""
        raise NotImplementedError

    def key(self, record: Record) -> str:
        """What identifies a record."""
        raise NotImplementedError

    def cells(self, record: Record) -> Cells:
        """One line."""
        raise NotImplementedError

    def about(self, record: Record) -> Text:
        """More about the record under the cursor."""
        raise NotImplementedError
