"""The dialog for a verdict by hand, with a flag and a note."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Key, Paste
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
from tui.widgets.toggles import Dot, Tick

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
    """Asks for verdict, flag and note. Dismissed with a HandVerdict, or None where it was closed.

    Text typed anywhere goes into the note, and nothing is stored where nothing was changed.
    """

    BINDINGS = keys.bindings("review")

    def __init__(self, store: Path, response: int) -> None:
        super().__init__()
        self._store, self._response = store, response
        self._before: HandVerdict | None = None

    def compose(self) -> ComposeResult:
        """The grader's verdict, the choice, flag, note, keys."""
        with Vertical(classes="dialog"):
            yield Static(f"Response {self._response}, judged by hand", classes="title")
            yield Static(id="graded")
            with RadioSet(id="verdict", compact=True):
                yield Dot("as the grader says", value=True, compact=True)
                yield Dot("correct", compact=True)
                yield Dot("wrong", compact=True)
            yield Tick("flag it, to be found again", id="flag", compact=True)
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
        note = self.query_one(Input)
        note.value = (judged[0]["note"] if judged else "") + note.value
        self._before = HandVerdict(self._response, hand, bool(row["flagged"]), judged[0]["note"] if judged else "")

    def on_key(self, event: Key) -> None:
        """Text that is typed while a button has the focus belongs to the note; space and enter press the button."""
        note = self.query_one(Input)
        if event.is_printable and event.character and event.character != " " and not note.has_focus:
            note.focus()
            note.insert_text_at_cursor(event.character)
            event.stop()

    def on_paste(self, event: Paste) -> None:
        """A pasted text goes into the note too."""
        note = self.query_one(Input)
        if not note.has_focus:
            note.focus()
            note.insert_text_at_cursor(event.text.partition("\n")[0])

    @on(Input.Submitted)
    def action_save(self) -> None:
        """Close with the verdict, unless it is the one that is stored already."""
        verdict = CHOICES[max(0, self.query_one(RadioSet).pressed_index)]
        judged = HandVerdict(self._response, verdict, self.query_one(Checkbox).value, self.query_one(Input).value)
        if self._before is None:
            self.notify("The response has not been read yet.", markup=False)
        elif judged == self._before:
            self.notify("Nothing has changed: choose a verdict, flag it or write a note; esc goes back.", markup=False)
        else:
            self.dismiss(judged)
