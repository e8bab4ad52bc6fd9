"""A line to type a filter; escape puts back what stood there when it was opened."""

from __future__ import annotations

from tui.widgets.finder import Finder


class FilterLine(Finder):
    """Says what `Finder` says; it begins with the filter that is in force."""

    _before = ""

    def begin(self, written: str) -> None:
        """Show the line with the present filter and take the focus."""
        self._before = self.value = written
        self.open()

    def action_leave(self) -> None:
        """Escape takes the filter back that was in force before."""
        self.value = self._before
        self._leave()
