"""Pane 5: finished responses, filtered and paged in SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from textual import work
from textual.app import ComposeResult
from textual.widgets import Static

from core.errors import LrmError
from core.store import snapshot as views
from core.store.shown import gold
from tui import keys
from tui.access import opened
from tui.screens.pane import Pane
from tui.screens.response import ResponseScreen
from tui.shown import lines, number, right, safe
from tui.widgets.table import Cells, Column, RowTable

FILTERS = ("all", "correct", "wrong", "unparsed", "looped")
PAGE = 100
COLUMNS = (
    Column("id", "Id", 5, number=True),
    Column("variant", "Variant", 17, grow=True),
    Column("benchmark", "Benchmark", 12, drop=2),
    Column("key", "Item", 10, drop=3),
    Column("parsed", "Parsed", 9, grow=True),
    Column("gold", "Gold", 7, grow=True),
    Column("mark", "", 4),
    Column("finish", "Finish", 10),
    Column("words", "Words", 6, drop=4, number=True),
)


def verdict(row: sqlite3.Row) -> tuple[str, str]:
    """Right, wrong or F1 in percent, and its colour."""
    if row["parsed"] is None:
        return "?", "yellow"
    if row["correct"] is None and row["f1"] is not None and row["em"] != 1:
        return f"{100 * row['f1']:.0f}", "yellow"
    return ("✓", "green") if (row["correct"] if row["correct"] is not None else row["em"]) else ("✗", "red")


def cells(row: sqlite3.Row) -> Cells:
    """One line of the list."""
    return {
        "id": right(row["id"]),
        "variant": safe(f"{row['model']} {row['compression']}"),
        "benchmark": safe(row["benchmark"]),
        "key": safe(row["key"]),
        "parsed": safe(row["parsed"] if row["parsed"] is not None else "–"),
        "gold": safe(gold(row["gold"])),
        "mark": safe(*verdict(row)),
        "finish": safe("LOOP" if row["collapsed"] else row["finish_reason"], "bold red" if row["collapsed"] else ""),
        "words": right(number(row["words"], 0)),
    }


class ResponsesPane(Pane):
    """A page of responses, newest first."""

    BINDINGS = keys.bindings("responses")
    job: int | None = None
    only = FILTERS[0]
    page = 0
    _read_at: tuple[int | None, str, int, int] | None = None

    def compose(self) -> ComposeResult:
        """A title and the table."""
        yield Static(id="responses-title")
        yield RowTable(COLUMNS)

    def draw(self) -> None:
        """Read the page where it may have changed."""
        finished = self.snapshot.finished_responses if self.snapshot else 0
        wanted = (self.job, self.only, self.page, finished)
        if wanted != self._read_at:
            self._read_at = wanted
            if finished:
                self._read(self.job, self.only, self.page)
            else:
                self._show([])

    @work(thread=True, exclusive=True, group="responses")
    def _read(self, job: int | None, only: str, page: int) -> None:
        try:
            with opened(self.owner.store, "reader") as connection:
                rows = views.responses(connection, job, only, page, PAGE)
        except (LrmError, FileNotFoundError) as error:
            self.app.call_from_thread(self._say, str(error))
            return
        self.app.call_from_thread(self._show, rows)

    def _show(self, rows: Sequence[sqlite3.Row]) -> None:
        self.table.sync([(str(row["id"]), cells(row)) for row in rows])
        whose = f"job {self.job}" if self.job is not None else "every job"
        more = " · ] older" if len(rows) == PAGE else ""
        nothing = "" if rows else " · nothing here"
        self._say(f"{self.only} responses of {whose} · page {self.page + 1}{more}{nothing}")

    def _say(self, text: str) -> None:
        self.query_one("#responses-title", Static).update(lines(text, "dim"))

    def of_job(self, job: int | None) -> None:
        """Show the responses of one job, or of every job."""
        self.job, self.page, self.only = job, 0, FILTERS[0]
        self.draw()

    def action_every_job(self) -> None:
        """Drop the choice of a job."""
        self.of_job(None)

    def action_filter(self) -> None:
        """The next filter."""
        self.only = FILTERS[(FILTERS.index(self.only) + 1) % len(FILTERS)]
        self.page = 0
        self.draw()

    def action_page(self, step: int) -> None:
        """Turn the page, as far as there are any."""
        if step < 0 or self.table.row_count == PAGE:
            self.page = max(0, self.page + step)
            self.draw()

    def action_open(self) -> None:
        """Read the response under the cursor; the list goes along with next and previous."""
        if self.table.selected is None:
            return
        ids = [int(row.key.value or 0) for row in self.table.ordered_rows]
        self.app.push_screen(ResponseScreen(self.owner.store, ids, self.table.cursor_row), self._came_back)

    def _came_back(self, at: int | None) -> None:
        if at is not None:
            self.table.select(str(at))
