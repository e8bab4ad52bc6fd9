"""The line to type a filter; escape restores the filter that it was opened with."""

from __future__ import annotations

from tui.widgets.finder import Finder


class FilterLine(Finder):
    """A `Finder` that starts with the present filter."""

    _before = ""

    def begin(self, filter: str) -> None:
        """Show the line with this filter and focus it."""
        self._before = self.value = filter
        self.open()

    def action_leave(self) -> None:
        """Restore the filter and close the line."""
        self.value = self._before
        self._leave()
