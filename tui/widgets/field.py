"""An input that draws its value without control characters, since the value may come from a store."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Input

from core.text import REPLACEMENT, printable


class Field(Input):
    """Textual's Input, but safe to draw; `value` itself is unchanged."""

    @property
    def _value(self) -> Text:
        shown = "".join(
            printable(character)[:1] or REPLACEMENT for character in self.value
        )  # as many characters as the value, so that the cursor is right
        return Text(shown, no_wrap=True, overflow="ignore", end="")
