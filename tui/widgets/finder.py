"""The search line, which is shown only while it is used."""

from __future__ import annotations

from textual.message import Message
from textual.widgets import Input

from tui import keys
from tui.widgets.field import Field


class Finder(Field):
    """Posts `Search` with each change, and `Closed` when it is closed."""

    BINDINGS = keys.bindings("finder")

    class Search(Message):
        """The text to search for has changed."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Closed(Message):
        """The line was closed."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(compact=True, placeholder="search …", select_on_focus=False, id=id)
        self.display = False

    def open(self) -> None:
        """Show the line, empty, and focus it."""
        self.display = True
        self.value = ""
        self.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search while typing."""
        event.stop()
        self.post_message(self.Search(self.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter closes the line and keeps the search."""
        event.stop()
        self._leave()

    def action_leave(self) -> None:
        """Close the line and clear the search."""
        self.value = ""
        self._leave()

    def _leave(self) -> None:
        self.display = False
        self.post_message(self.Closed())
