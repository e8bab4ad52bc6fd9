"""A line to type what is looked for; it stands only while it is used."""

from __future__ import annotations

from textual.message import Message
from textual.widgets import Input

from tui import keys
from tui.widgets.field import Field


class Finder(Field):
    """Says `Sought` with each change, and `Left` when it is left."""

    BINDINGS = keys.bindings("finder")

    class Sought(Message):
        """This is looked for now."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """The line has gone."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(compact=True, placeholder="search …", select_on_focus=False, id=id)
        self.display = False

    def open(self) -> None:
        """Show the line and take the focus."""
        self.display = True
        self.value = ""
        self.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look while it is typed."""
        event.stop()
        self.post_message(self.Sought(self.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter keeps what was found."""
        event.stop()
        self._leave()

    def action_leave(self) -> None:
        """Escape forgets it."""
        self.value = ""
        self._leave()

    def _leave(self) -> None:
        self.display = False
        self.post_message(self.Left())
