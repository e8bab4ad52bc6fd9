"""One response: verdict, prompt, thinking, answer part and origin."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from core.errors import LrmError
from core.store import browse, search
from core.store import snapshot as views
from core.store.browse import Cursor
from core.store.columns import ResponseRow
from core.store.connection import opened
from core.store.filters import ResponseFilter
from core.store.reviews import reviews
from core.store.shown import verdict
from tui import keys
from tui.background import hand_back
from tui.dialogs.response_actions import ResponseActions
from tui.dialogs.response_parts import parts
from tui.shown import safe
from tui.widgets.finder import Finder
from tui.widgets.footer import Footer
from tui.widgets.reader import Reader


class ResponseScreen(ModalScreen[int], ResponseActions):
    """Shows one response of a filtered list. Dismissed with the number of the one that was shown last."""

    BINDINGS = keys.bindings("response")

    def __init__(self, store: Path, filter: ResponseFilter, at: Cursor) -> None:
        super().__init__()
        self._store, self._filter, self._at = store, filter, at
        self._row: ResponseRow | None = None
        self._reviews: list[sqlite3.Row] = []
        self._folded = True

    def compose(self) -> ComposeResult:
        """Title, text, search line, keys."""
        yield Static(id="response-title")
        yield Reader(id="response")
        yield Finder(id="response-search")
        yield Footer()

    @property
    def reader(self) -> Reader:
        """The text."""
        return self.query_one(Reader)

    @property
    def response(self) -> int:
        """The number of the response that is shown."""
        return self._at.id

    def on_mount(self) -> None:
        """Read the response; the words that the list was searched for are marked."""
        self.reader.focus()
        if self._filter.search:
            self.reader.find(search.pattern(self._filter.search))
        self._read(0)

    @work(thread=True, exclusive=True)
    def _read(self, step: int) -> None:
        try:
            with opened(self._store, "reader") as connection:
                at = self._at
                if step:
                    rows = browse.page(connection, self._filter, 1, at, backwards=step < 0).rows
                    if not rows:
                        hand_back(self, self._end, step)
                        return
                    at = browse.cursor(rows[0])
                row, judged = views.response(connection, at.id), reviews(connection, at.id)
        except (LrmError, FileNotFoundError) as error:
            hand_back(self, self._title, str(error))
            return
        if row is not None:
            hand_back(self, self._show, at, row, list(judged), step)

    def _end(self, step: int) -> None:
        self.notify("This is the last one." if step > 0 else "This is the first one.", markup=False)

    def _title(self, text: str) -> None:
        self.query_one("#response-title", Static).update(safe(text, "bold"))

    def _show(self, at: Cursor, row: ResponseRow, judged: list[sqlite3.Row], step: int) -> None:
        same = self._row is not None and at == self._at and not step
        self._at, self._row, self._reviews = at, row, judged
        if not same:
            self._folded = True
        self._draw(keep=same)

    def _draw(self, keep: bool) -> None:
        if self._row is None:
            return
        self.reader.show(parts(self._row, self._reviews, self._folded), keep)
        self._head()

    def _head(self) -> None:
        row, (here, count) = self._row, self.reader.matches
        if row is None:
            return
        match = f"match {here} of {count} · " if count else ""
        name = f"{row['model']} {row['compression']} · {row['benchmark']} {row['key']}"
        self._title(f"{row['id']} · {match}{verdict(row)} · {name}")

    def action_step(self, step: int) -> None:
        """Read the next or previous response of the list."""
        self._read(step)

    def action_part(self, name: str) -> None:
        """Go to a part."""
        if not self.reader.go(name):
            self.notify("No loop was seen in this response." if name == "loop" else f"It has no {name}.", markup=False)

    def action_fold(self) -> None:
        """Show every round of a loop, or its first one alone."""
        self._folded = not self._folded
        self._draw(keep=True)

    def action_search(self) -> None:
        """Open the search line."""
        self.query_one(Finder).open()

    @on(Finder.Search)
    def _search_typed(self, message: Finder.Search) -> None:
        self.reader.find(re.compile(re.escape(message.text), re.IGNORECASE) if message.text else None)
        self._head()

    @on(Finder.Closed)
    def _search_closed(self) -> None:
        self.reader.focus()

    def action_match(self, step: int) -> None:
        """Go to the next or previous match."""
        self.reader.step(step)
        self._head()

    def action_copy(self) -> None:
        """Copy the model's text."""
        if self._row is not None:
            self.workbench.copy(self._row["text"] or "", f"response-{self.response}")

    def reviewed(self) -> None:
        """Read the response again, with its new verdict."""
        self._read(0)

    async def action_dismiss(self, result: int | None = None) -> None:
        """Close with the number of the response that is shown."""
        self.dismiss(self.response)
