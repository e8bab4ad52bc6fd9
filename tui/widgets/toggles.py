"""Check boxes and radio buttons that can be read without colours: Textual draws the mark in every one, in two colours."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Checkbox, RadioButton


class Tick(Checkbox):
    """A check box with a mark only where it is checked."""

    @property
    def _button(self) -> Content:
        return _drawn("[X]" if self.value else "[ ]")


class Dot(RadioButton):
    """A radio button with a mark only where it is chosen."""

    @property
    def _button(self) -> Content:
        return _drawn("(●)" if self.value else "( )")


def _drawn(box: str) -> Content:
    return Content.styled(box, "bold")
