"""The questions that one of two variants answers correctly and the other does not."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from textual import work
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from core.errors import LrmError
from core.results.rows import CompareRow
from core.store import browse
from core.store.connection import opened
from core.store.shown import gold
from tui import keys
from tui.background import hand_back
from tui.shown import UNKNOWN, lines, safe
from tui.widgets.footer import Footer
from tui.widgets.lazy_table import LazyTable
from tui.widgets.marks import mark
from tui.widgets.table import Cells, Column

COLUMNS = (
    Column("change", "B", 7),
    Column("key", "Item", 12, grow=True),
    Column("a_mark", "", 4),
    Column("a", "A parsed", 14, grow=True),
    Column("b_mark", "", 4),
    Column("b", "B parsed", 14, grow=True),
    Column("gold", "Gold", 10, grow=True, drop=1),
)
Pair = tuple[str, sqlite3.Row, sqlite3.Row]


class FlipsScreen(ModalScreen[None]):
    """Lists the questions that B lost, then those that it gained."""

    BINDINGS = keys.bindings("flips")

    def __init__(self, store: Path, record: CompareRow) -> None:
        super().__init__()
        self._store, self._record = store, record
        self._pairs: dict[str, Pair] = {}

    def compose(self) -> ComposeResult:
        """Title, table, a text in place of an empty table, keys."""
        yield Static(id="flips-title")
        yield LazyTable(COLUMNS, _cells, id="flips")
        yield Static(id="no-flips")
        yield Footer()

    def on_mount(self) -> None:
        """Read the responses of both variants."""
        r = self._record
        title = f"{r['benchmark']} · A {r['a']} | B {r['b']} · lost {len(r['lost'])}, gained {len(r['gained'])}"
        self.query_one("#flips-title", Static).update(safe(title, "bold"))
        self.query_one(LazyTable).focus()
        self._read()

    @work(thread=True, exclusive=True)
    def _read(self) -> None:
        record = self._record
        try:
            with opened(self._store, "reader") as connection:
                answers = browse.answers(connection, record["runs"], [*record["lost"], *record["gained"]])
        except (LrmError, FileNotFoundError) as error:
            hand_back(self, self._nothing, str(error))
            return
        pairs: list[Pair] = []
        for change, flipped in (("lost", record["lost"]), ("gained", record["gained"])):
            sides = ([answers.get((run, key)) for run in record["runs"]] for key in flipped)
            pairs += [(change, a, b) for a, b in sides if a is not None and b is not None]
        hand_back(self, self._show, pairs)

    def _nothing(self, text: str) -> None:
        self.query_one("#no-flips", Static).update(lines(text, "dim"))
        self.query_one("#no-flips").display, self.query_one(LazyTable).display = True, False

    def _show(self, pairs: list[Pair]) -> None:
        self._pairs = {str(a["id"]): (change, a, b) for change, a, b in pairs}
        self.query_one(LazyTable).sync(list(self._pairs.items()))
        if not pairs:
            self._nothing("Both have the same questions right.")

    def action_open(self) -> None:
        """Show both responses side by side."""
        from tui.dialogs.variants import VariantsScreen

        pair = self._pairs.get(self.query_one(LazyTable).selected or "")
        if pair is not None:
            self.app.push_screen(VariantsScreen(self._store, pair[1]["id"], pair[2]["id"]))

    def action_help(self) -> None:
        """Show this screen's keys."""
        from tui.dialogs.help import help_screen

        self.app.push_screen(help_screen("flips", self.app.focused))


def _cells(pair: Pair) -> Cells:
    change, a, b = pair
    return {
        "change": safe(change, "red" if change == "lost" else "green"),
        "key": safe(a["key"]),
        "a_mark": mark(a),
        "a": safe(UNKNOWN if a["parsed"] is None else a["parsed"]),
        "b_mark": mark(b),
        "b": safe(UNKNOWN if b["parsed"] is None else b["parsed"]),
        "gold": safe(gold(a["gold"])),
    }
