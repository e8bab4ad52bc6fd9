"""Small dialogs: a note, a yes-or-no question, and a question answered with a line of text."""

from __future__ import annotations

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui import keys
from tui.shown import lines
from tui.widgets.field import Field
from tui.widgets.footer import Footer
from tui.widgets.scrolled import Scrolled


class Note(ModalScreen[None]):
    """A message to read."""

    BINDINGS = keys.bindings("dialog")

    def __init__(self, title: str, body: Text) -> None:
        super().__init__()
        self._title, self._body = title, body

    def compose(self) -> ComposeResult:
        """The body in a frame with title and closing key."""
        body = Scrolled(self._body)
        body.border_title, body.border_subtitle = lines(self._title), Text("esc closes")
        yield body


class Confirm(ModalScreen[bool]):
    """A yes-or-no question. Dismissed with the answer."""

    BINDINGS = keys.bindings("confirm")

    def __init__(self, question: str, hint: str) -> None:
        super().__init__()
        self._question, self._hint = question, hint

    def compose(self) -> ComposeResult:
        """Question, hint, keys."""
        with Vertical(classes="dialog"):
            yield Static(lines(self._question, "bold"), classes="title")
            yield Static(lines(self._hint))
            yield Footer()

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)


class Ask(ModalScreen[str]):
    """A question answered with a line of text. Dismissed with the text, or None where it was closed."""

    BINDINGS = keys.bindings("ask")

    def __init__(self, question: str, hint: str, answer: str = "") -> None:
        super().__init__()
        self._question, self._hint, self._answer = question, hint, answer

    def compose(self) -> ComposeResult:
        """Question, input, hint."""
        with Vertical(classes="dialog"):
            yield Static(lines(self._question, "bold"), classes="title")
            yield Field(self._answer, compact=True)
            yield Static(lines(f"{self._hint} · enter answers, esc goes back", "dim"))

    @on(Input.Submitted)
    def _answered(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)
