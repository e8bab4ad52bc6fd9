"""Pane 5: finished responses, filtered, searched and read page by page, however many there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from core.errors import LrmError, UsageError
from core.store import browse, search
from core.store.browse import Page
from core.store.connection import opened
from core.store.filters import ORDERS, VERDICTS, ResponseFilter, doubt, parse, written
from core.store.shown import gold
from core.text import printable
from tui import keys
from tui.background import hand_back
from tui.dialogs.response import ResponseScreen
from tui.dialogs.response_actions import ResponseActions
from tui.panes.pane import Pane
from tui.shown import UNKNOWN, number, right, safe
from tui.widgets.browser import Browser
from tui.widgets.empty import Empty
from tui.widgets.filter_line import FilterLine
from tui.widgets.finder import Finder
from tui.widgets.marks import mark
from tui.widgets.table import Cells, Column

PAGE = 200
WINDOW = 3 * PAGE
TYPING_S = 0.25
"""A filter is applied so long after the last key, so that half-typed words are not searched."""

COLUMNS = (
    Column("id", "Id", 6, number=True),
    Column("variant", "Variant", 17, grow=True),
    Column("benchmark", "Benchmark", 10, drop=3, grow=True),
    Column("key", "Item", 8, drop=2),
    Column("mark", "", 4),
    Column("parsed", "Parsed", 8, grow=True),
    Column("gold", "Gold", 7, grow=True),
    Column("finish", "Finish", 9, drop=1),
    Column("words", "Words", 6, number=True),
)
EMPTY = """No responses have finished yet.

They appear here as soon as a run has some; `lrm-tui import` brings in outputs made elsewhere.
1 goes to the queue, where n queues runs."""
NONE_SUCH = """No response passes this filter.

f and / change it, a shows every response again."""


def cells(row: sqlite3.Row) -> Cells:
    """The cells of one response."""
    return {
        "id": right(row["id"]),
        "variant": safe(f"{row['model']} {row['compression']}"),
        "benchmark": safe(row["benchmark"]),
        "key": safe(row["key"]),
        "mark": mark(row),
        "parsed": safe(row["parsed"] if row["parsed"] is not None else UNKNOWN),
        "gold": safe(gold(row["gold"])),
        "finish": safe("LOOP" if row["collapsed"] else row["finish_reason"], "bold red" if row["collapsed"] else ""),
        "words": right(number(row["words"], 0)),
    }


class ResponsesPane(Pane, ResponseActions):
    """A window of rows over the responses that pass the filter; thread workers read them, so that keys never wait."""

    BINDINGS = keys.bindings("responses")

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.filter = ResponseFilter()
        self._rows: list[sqlite3.Row] = []
        self._before = self._after = False
        self._count: int | None = None
        self._drawn: tuple[int, int] | None = None
        self._reading: sqlite3.Connection | None = None
        self._loading = False
        self._unindexed = 0
        self._trouble = ""
        self._typing: Timer | None = None

    def compose(self) -> ComposeResult:
        """A title, the table, a preview of the response under the cursor, and the filter line."""
        yield Static(id="responses-title")
        yield Browser(COLUMNS, cells, id="responses-table")
        yield Empty(id="no-responses")
        yield Static(id="glance")
        yield FilterLine(id="responses-filter")

    @property
    def table(self) -> Browser[sqlite3.Row]:  # type: ignore[override]
        """The list."""
        return self.query_one(Browser)

    @property
    def front(self) -> Widget:
        """The table, or what stands in its place."""
        return self.table if self.table.display else self.query_one(Empty)

    @property
    def response(self) -> int | None:
        """The response under the cursor."""
        return int(self.table.selected) if self.table.selected else None

    def show(self) -> None:
        """Draw the pane and focus it."""
        self.draw()
        self.front.focus()

    def draw(self) -> None:
        """Read the window again where it may have changed: at its top by new responses, anywhere by reviews."""
        now = (self.snapshot.finished_responses, self.snapshot.reviews) if self.snapshot else (0, 0)
        if now == self._drawn:
            return
        reviewed = self._drawn is not None and self._drawn[1] != now[1]
        first = self._drawn is None
        self._drawn = now
        if not now[0]:
            self._take(Page((), False, False), None)
        elif first or not self._before or not self._rows:
            self._read(self._top)
            self._index()
        elif reviewed:
            self._read(self._same_rows)

    def show_filtered(self, filter: ResponseFilter) -> None:
        """Show the responses that pass another filter, or in another order, from the first one."""
        self.filter, self._count, self._trouble = filter, None, ""
        self._read(lambda connection: (browse.page(connection, filter, PAGE), "top"))

    def _top(self, connection: sqlite3.Connection) -> tuple[Page, str]:
        return browse.page(connection, self.filter, max(PAGE, len(self._rows))), "same"

    def _same_rows(self, connection: sqlite3.Connection) -> tuple[Page, str]:
        rows = browse.rows(connection, [row["id"] for row in self._rows])
        return Page(rows, self._before, self._after), "same"

    def _read(self, query: Callable[[sqlite3.Connection], tuple[Page, str]]) -> None:
        """Run a query in a thread; one that is still running is interrupted."""
        if (reading := self._reading) is not None:
            with suppress(sqlite3.ProgrammingError):  # its thread has just finished and closed it
                reading.interrupt()
        self._loading = True
        self._title()
        self._query(query)

    @work(thread=True, exclusive=True, group="responses")
    def _query(self, query: Callable[[sqlite3.Connection], tuple[Page, str]]) -> None:
        worker, filter, mine = get_current_worker(), self.filter, None
        try:
            with opened(self.workbench.store, "reader") as connection:
                self._reading = mine = connection
                page, where = query(connection)
                if not worker.is_cancelled:
                    hand_back(self, self._take, page, where)
                if not worker.is_cancelled and (where != "next" or self._count is None):
                    hand_back(self, self._counted, filter, browse.count(connection, filter))
        except (LrmError, FileNotFoundError) as error:
            if not worker.is_cancelled:
                hand_back(self, self._show_error, str(error))
        finally:
            if self._reading is mine:  # otherwise it belongs to a later query
                self._reading = None

    def _take(self, page: Page, where: str | None) -> None:
        """Show a page: `top` and `bottom` replace the window, `same` keeps the cursor, `next` and `back` extend the window."""
        self._loading = False
        new = list(page.rows)
        if where == "next":
            rows = (self._rows + new)[-WINDOW:]
            self._before, self._after = self._before or len(rows) < len(self._rows + new), page.more_after
        elif where == "back":
            rows = (new + self._rows)[:WINDOW]
            self._before, self._after = page.more_before, self._after or len(rows) < len(new + self._rows)
        else:
            rows, self._before, self._after = new, page.more_before, page.more_after
        self._rows = rows
        table = self.table
        at = {"top": 0, "bottom": len(rows) - 1}.get(where or "")
        table.replace([(str(row["id"]), row) for row in rows], at)
        if where == "next" and new:
            table.action_cursor_down()
        elif where == "back" and new:
            table.action_cursor_up()
        self._title()

    def _counted(self, filter: ResponseFilter, count: int) -> None:
        if filter == self.filter:
            self._count = count
            self._title()

    def _show_error(self, trouble: str) -> None:
        self._loading, self._trouble = False, trouble
        self._title()

    def _title(self) -> None:
        """Draw the title: filter, count, order; in place of an empty table say why it is empty and what to do."""
        count = "" if self._count is None else f"{self._count:,} responses"
        line = written(replace(self.filter, order="newest"))
        order = f"{self.filter.order} first"
        missing = self._unindexed if self.filter.search else 0
        rest = f"{missing:,} older ones are not indexed for search yet" if missing else ""
        title = Text(no_wrap=True, overflow="ellipsis")
        title.append_text(safe(line or "every response", "bold"))
        for part in (doubt(self.filter), count, order, rest):
            title.append_text(safe(f" · {part}" if part else "", "dim"))
        if self._trouble:
            title = safe(self._trouble, "bold yellow")
        self.query_one("#responses-title", Static).update(title)
        finished = self.snapshot.finished_responses if self.snapshot else 0
        reason = "Reading …" if self._loading else NONE_SUCH if finished else EMPTY
        self.query_one(Empty).instead_of(self.table, None if self._rows else reason)
        self.query_one("#glance").display = bool(self._rows)

    @on(Browser.Beyond)
    def _beyond(self, message: Browser.Beyond) -> None:
        more = self._before if message.step < 0 else self._after
        if not more or self._loading or not self._rows:
            return
        filter, backwards = self.filter, message.step < 0
        if message.far:
            where = "top" if backwards else "bottom"
            self._read(lambda connection: (browse.page(connection, filter, PAGE, None, not backwards), where))
            return
        edge = browse.cursor(self._rows[0 if backwards else -1])
        where = "back" if backwards else "next"
        self._read(lambda connection: (browse.page(connection, filter, PAGE, edge, backwards), where))

    @on(Browser.Highlighted)
    def _highlighted(self, message: Browser.Highlighted) -> None:
        if message.key is not None:
            self._preview(int(message.key))

    @work(thread=True, exclusive=True, group="glance")
    def _preview(self, response: int) -> None:
        try:
            with opened(self.workbench.store, "reader") as connection:
                texts = browse.glance(connection, self.filter, response)
        except (LrmError, FileNotFoundError):
            return  # the list says what is wrong with the store
        if not get_current_worker().is_cancelled:
            hand_back(self, self._show_preview, texts)

    def _show_preview(self, texts: tuple[str, str]) -> None:
        shown = Text(no_wrap=True, overflow="ellipsis")
        for name, text in zip(("Asked  ", "Found  " if self.filter.search else "Answer "), texts, strict=True):
            line = safe(" ".join(printable(text, keep_newlines=True).split()) or UNKNOWN)
            line.highlight_regex("«[^»]*»", "bold reverse")
            shown.append(name, "dim").append_text(line).append("\n")
        shown.rstrip()
        self.query_one("#glance", Static).update(shown)

    @work(thread=True, exclusive=True, group="index")
    def _index(self) -> None:
        """Index texts that an older version stored without an index, in short steps, unless read-only."""
        if self.workbench.readonly:
            return
        worker = get_current_worker()
        try:
            with opened(self.workbench.store, "reader") as connection:
                self._unindexed = search.left(connection)
            while self._unindexed and not worker.is_cancelled:
                with opened(self.workbench.store, "user") as connection:
                    self._unindexed = search.step(connection)
        except (LrmError, FileNotFoundError):
            return  # another process may do it; the title says how many are missing

    def action_every(self) -> None:
        """Drop every filter."""
        self.show_filtered(ResponseFilter(order=self.filter.order))

    def action_filter(self, step: int = 1) -> None:
        """Filter by the next or previous verdict."""
        at = VERDICTS.index(self.filter.verdict)
        self.show_filtered(replace(self.filter, verdict=VERDICTS[(at + step) % len(VERDICTS)]))

    def action_order(self) -> None:
        """Sort in the next order."""
        self.show_filtered(replace(self.filter, order=ORDERS[(ORDERS.index(self.filter.order) + 1) % len(ORDERS)]))

    def action_search(self) -> None:
        """Open the filter line; its words are searched in the texts."""
        self.query_one(FilterLine).begin(written(self.filter))

    @on(Finder.Search)
    def _filter_typed(self, message: Finder.Search) -> None:
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(TYPING_S, lambda: self._apply(message.text))

    def _apply(self, text: str) -> None:
        try:
            filter = parse(text)
        except UsageError as error:
            self._show_error(str(error))
            return
        self._trouble = ""
        if filter != self.filter:
            self.show_filtered(filter)
        else:
            self._title()

    @on(Finder.Closed)
    def _filter_closed(self) -> None:
        self.front.focus()

    def action_page(self, step: int) -> None:
        """Move the cursor by a page."""
        if step > 0:
            self.table.action_page_down()
        else:
            self.table.action_page_up()

    def action_open(self) -> None:
        """Read the response under the cursor; its next and previous are those of the filtered list."""
        row = next((row for row in self._rows if str(row["id"]) == self.table.selected), None)
        if row is not None:
            self.app.push_screen(ResponseScreen(self.workbench.store, self.filter, browse.cursor(row)), self._select)

    def _select(self, response: int | None) -> None:
        if response is not None and any(row["id"] == response for row in self._rows):
            self.table.select(str(response))

    def remember(self) -> dict[str, object]:
        """The filter, and the row under the cursor."""
        return {"row": self.table.selected, "filter": written(self.filter)}

    def restore(self, state: Mapping[str, object]) -> None:
        """See `Pane`."""
        super().restore(state)
        try:
            self.filter = parse(str(state.get("filter") or ""))
        except UsageError:
            return
