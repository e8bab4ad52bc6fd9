"""The text in place of a table without rows: why it is empty and what to do."""

from __future__ import annotations

from textual.widget import Widget
from textual.widgets import Static

from tui.shown import lines


class Empty(Static, can_focus=True):
    """Swaps places with a table; the one that is shown takes over the focus."""

    def instead_of(self, table: Widget, reason: str | None) -> None:
        """Show the reason instead of the table, or with None the table."""
        if reason is not None:
            self.update(lines(reason, "dim"))
        shown, hidden = (table, self) if reason is None else (self, table)
        focused = hidden.has_focus
        shown.display, hidden.display = True, False
        if focused:
            shown.focus(scroll_visible=False)
