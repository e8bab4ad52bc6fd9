"""All responses to one question, and two of them side by side with their differences marked."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static
from textual.worker import get_current_worker

from core.errors import LrmError
from core.results.show.word_diff import Block
from core.store import browse
from core.store import snapshot as views
from core.store.connection import opened
from core.store.filters import ResponseFilter
from core.store.shown import gold
from core.text import printable
from tui import keys
from tui.background import hand_back
from tui.dialogs.response import ResponseScreen
from tui.dialogs.response_actions import ResponseActions
from tui.shown import UNKNOWN, number, right, safe
from tui.widgets.footer import Footer
from tui.widgets.lazy_table import LazyTable
from tui.widgets.marks import mark
from tui.widgets.side_by_side import SideBySide
from tui.widgets.table import Cells, Column

COLUMNS = (
    Column("side", "", 5),
    Column("id", "Id", 7, number=True, drop=1),
    Column("variant", "Variant", 20, grow=True),
    Column("engine", "Engine", 10, drop=3),
    Column("mark", "", 4),
    Column("parsed", "Parsed", 9, grow=True),
    Column("finish", "Finish", 10, drop=2),
    Column("words", "Words", 6, number=True),
)


class VariantsScreen(ModalScreen[None], ResponseActions):
    """The left text stays; the response under the cursor is shown on the right."""

    SCREEN = "variants"
    BINDINGS = keys.bindings(SCREEN)

    def __init__(self, store: Path, left: int, right: int | None = None) -> None:
        super().__init__()
        self._store, self._left, self._right = store, left, right
        self._rows: list[sqlite3.Row] = []
        self._blocks: Sequence[Block] = ()

    def compose(self) -> ComposeResult:
        """Title, table, the names of both sides, the two texts, keys."""
        yield Static(id="variants-title")
        yield LazyTable(COLUMNS, self._cells, id="variants-table")
        yield Static(id="sides")
        yield SideBySide(id="diff")
        yield Footer()

    @property
    def table(self) -> LazyTable[sqlite3.Row]:
        """The responses to the question."""
        return self.query_one(LazyTable)

    @property
    def response(self) -> int | None:
        """The response under the cursor."""
        return self._right

    def on_mount(self) -> None:
        """Read the responses."""
        self.table.focus()
        self._list()

    @work(thread=True, exclusive=True, group="list")
    def _list(self) -> None:
        try:
            with opened(self._store, "reader") as connection:
                rows = list(browse.siblings(connection, self._left))
        except (LrmError, FileNotFoundError) as error:
            hand_back(self, self._title, str(error))
            return
        hand_back(self, self._show_list, rows)

    def _title(self, text: str) -> None:
        self.query_one("#variants-title", Static).update(safe(text, "bold"))

    def _show_list(self, rows: list[sqlite3.Row]) -> None:
        self._rows = rows
        table = self.table
        table.styles.height = min(len(rows) + 1, 9)
        if rows:
            self._title(f"{rows[0]['benchmark']} {rows[0]['key']} · gold {gold(rows[0]['gold'])} · {len(rows)} responses")
        if self._right is None:
            self._right = next((row["id"] for row in rows if row["id"] != self._left), self._left)
        table.await_row(str(self._right))
        table.sync([(str(row["id"]), row) for row in rows])
        self._compare()

    def _cells(self, row: sqlite3.Row) -> Cells:
        side = "left" if row["id"] == self._left else "right" if row["id"] == self._right else ""
        return {
            "side": safe(side, "bold"),
            "id": right(row["id"]),
            "variant": safe(f"{row['model']} {row['compression']}"),
            "engine": safe(row["engine"]),
            "mark": mark(row),
            "parsed": safe(row["parsed"] if row["parsed"] is not None else UNKNOWN),
            "finish": safe("LOOP" if row["collapsed"] else row["finish_reason"], "bold red" if row["collapsed"] else ""),
            "words": right(number(row["words"], 0)),
        }

    @on(LazyTable.Highlighted)
    def _moved(self, message: LazyTable.Highlighted) -> None:
        if message.key is not None and int(message.key) != self._right:
            self._right = int(message.key)
            self._compare()

    @work(thread=True, exclusive=True, group="diff")
    def _compare(self) -> None:
        from core.results.show.word_diff import word_diff

        worker, left, right = get_current_worker(), self._left, self._right
        try:
            with opened(self._store, "reader") as connection:
                rows = [views.response(connection, one or 0) for one in (left, right)]
        except (LrmError, FileNotFoundError) as error:
            hand_back(self, self._title, str(error))
            return
        one, other = ((row["text"] or "") if row else "" for row in rows)
        blocks = word_diff(one, other)
        if not worker.is_cancelled:
            hand_back(self, self._show, blocks)

    def _show(self, blocks: Sequence[Block]) -> None:
        self._blocks = blocks
        self.query_one(SideBySide).show(blocks)
        self.table.refresh()
        share = _share(blocks)
        names = {row["id"]: f"{row['id']} {row['model']} {row['compression']}" for row in self._rows}
        alone = " · no other variant has answered it" if len(self._rows) < 2 else share
        sides = f"{names.get(self._left, UNKNOWN)}  |  {names.get(self._right or 0, UNKNOWN)}{alone}"
        self.query_one("#sides", Static).update(safe(sides, "bold"))

    def action_open(self) -> None:
        """Read the response under the cursor."""
        row = next((row for row in self._rows if row["id"] == self._right), None)
        if row is not None:
            filter = ResponseFilter(benchmark=row["benchmark"], item=row["key"])
            self.app.push_screen(ResponseScreen(self._store, filter, browse.cursor(row)))

    def action_left(self) -> None:
        """Show the response under the cursor on the left."""
        if self._right is not None:
            self._left = self._right
            self._compare()

    def action_change(self, step: int) -> None:
        """Scroll to the next or previous difference."""
        if not self.query_one(SideBySide).change(step):
            self.notify("No more differences.", markup=False)

    def action_page(self, step: int) -> None:
        """Scroll the texts by a page."""
        self.query_one(SideBySide).page(step)

    def action_copy(self) -> None:
        """Copy both texts as one: equal words as they are, [-only left-], {+only right+}."""
        pieces = [b.left if b.equal else "".join(_marked(b)) for b in self._blocks]
        self.workbench.copy(printable("".join(pieces), keep_newlines=True), f"diff-{self._left}-{self._right}")

    def reviewed(self) -> None:
        """Read the responses again, with the new verdict."""
        self._list()


def _share(blocks: Sequence[Block]) -> str:
    """How much of the left text stands in the right one, of what was compared."""
    words, rest = (sum(len(b.left.split()) for b in blocks if b.compared is which) for which in (True, False))
    same = sum(len(block.left.split()) for block in blocks if block.equal)
    if not words:
        return ""
    if all(block.compared for block in blocks):
        return f" · {100 * same / words:.0f} % of the left one's words stand in the right one"
    share = f"{100 * same / words:.0f} % of the left one's {words:,} compared words stand in the right one"
    return f" · {share}; {rest:,} more are not compared" if rest else f" · {share}; the right one is longer than is compared"


def _marked(block: Block) -> list[str]:
    return [*([f"[-{block.left}-]"] if block.left else []), *([f"{{+{block.right}+}}"] if block.right else [])]
