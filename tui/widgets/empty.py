"""What stands in place of a table that has no rows: it says why, and what to do, and takes the keys meanwhile."""

from __future__ import annotations

from textual.widget import Widget
from textual.widgets import Static

from tui.shown import lines


class Empty(Static, can_focus=True):
    """Changes places with a table; whichever is shown has the focus that the other had."""

    def instead_of(self, table: Widget, reason: str | None) -> None:
        """Show the reason instead of the table, or with None the table."""
        if reason is not None:
            self.update(lines(reason, "dim"))
        shown, hidden = (table, self) if reason is None else (self, table)
        focused = hidden.has_focus
        shown.display, hidden.display = True, False
        if focused:
            shown.focus(scroll_visible=False)
