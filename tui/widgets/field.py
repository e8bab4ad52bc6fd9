"""A field to type in, also where it begins with text from a store: what is drawn is safe, what it holds stays as it is."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Input

from core.text import REPLACEMENT, printable


class Field(Input):
    """Textual's own draws its value as it is, control characters too."""

    @property
    def _value(self) -> Text:
        shown = "".join(printable(character)[:1] or REPLACEMENT for character in self.value)  # one for one, for the cursor
        return Text(shown, no_wrap=True, overflow="ignore", end="")
