"""The dialog for a verdict by hand, with a flag and a note."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Checkbox, Input, Label, RadioButton, RadioSet, Static

from core.errors import LrmError
from core.store import snapshot as views
from core.store.columns import ResponseRow
from core.store.connection import opened
from core.store.reviews import reviews
from core.store.shown import gold, graded
from tui import keys
from tui.background import hand_back
from tui.shown import UNKNOWN, lines
from tui.widgets.field import Field
from tui.widgets.footer import Footer

CHOICES = (None, True, False)
"""The verdicts in the order of the buttons; None leaves it to the grader."""


@dataclass(frozen=True, slots=True)
class HandVerdict:
    """The answer of the dialog; `verdict` None leaves it to the grader."""

    response: int
    verdict: bool | None
    flagged: bool
    note: str


class ReviewScreen(ModalScreen[HandVerdict]):
    """Asks for verdict, flag and note. Dismissed with a HandVerdict, or None where it was closed."""

    BINDINGS = keys.bindings("review")

    def __init__(self, store: Path, response: int) -> None:
        super().__init__()
        self._store, self._response = store, response

    def compose(self) -> ComposeResult:
        """The grader's verdict, the choice, flag, note, keys."""
        with Vertical(classes="dialog"):
            yield Static(f"Response {self._response}, judged by hand", classes="title")
            yield Static(id="graded")
            with RadioSet(id="verdict", compact=True):
                yield RadioButton("as the grader says", value=True, compact=True)
                yield RadioButton("correct", compact=True)
                yield RadioButton("wrong", compact=True)
            yield Checkbox("flag it, to be found again", id="flag", compact=True)
            with Horizontal(classes="field"):
                yield Label("Note")
                yield Field(id="note", compact=True, placeholder="why", select_on_focus=False)
            yield Footer()

    def on_mount(self) -> None:
        """Read the present verdicts."""
        self.query_one(RadioSet).focus()
        self._read()

    @work(thread=True)
    def _read(self) -> None:
        try:
            with opened(self._store, "reader") as connection:
                row, judged = views.response(connection, self._response), reviews(connection, self._response)
        except (LrmError, FileNotFoundError) as error:
            hand_back(self, self._say, str(error), "bold red")
            return
        if row is not None:
            hand_back(self, self._show, row, list(judged))

    def _say(self, text: str, style: str) -> None:
        self.query_one("#graded", Static).update(lines(text, style))

    def _show(self, row: ResponseRow, judged: list[sqlite3.Row]) -> None:
        parsed = UNKNOWN if row["parsed"] is None else row["parsed"]
        text = f"The grader says {graded(row)}: parsed {parsed}, gold {gold(row['gold'])}."
        self._say(text, "dim")
        hand = None if row["hand"] is None else bool(row["hand"])
        self.query(RadioButton)[CHOICES.index(hand)].value = True
        self.query_one(Checkbox).value = bool(row["flagged"])
        self.query_one(Input).value = judged[0]["note"] if judged else ""

    @on(Input.Submitted)
    def action_save(self) -> None:
        """Close with the verdict."""
        verdict = CHOICES[max(0, self.query_one(RadioSet).pressed_index)]
        note = self.query_one(Input).value
        self.dismiss(HandVerdict(self._response, verdict, self.query_one(Checkbox).value, note))
