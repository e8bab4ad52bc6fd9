"""A table over any number of rows: it holds a window of them and asks for more when the cursor leaves it."""

from __future__ import annotations

from collections.abc import Sequence

from textual.message import Message

from tui.widgets.lazy_table import LazyTable, Record


class Browser(LazyTable[Record]):
    """A `LazyTable` that posts `Beyond` where the cursor would leave its rows."""

    class Beyond(Message):
        """The cursor would leave the rows: upwards (`step` -1) or downwards (1); `far`: to the first or last row of all."""

        def __init__(self, step: int, far: bool) -> None:
            super().__init__()
            self.step, self.far = step, far

    def replace(self, rows: Sequence[tuple[str, Record]], at: int | None = None) -> None:
        """Show another window. The cursor's row stays in place on the screen; where it is gone, the cursor goes to row `at`."""
        offset, selected = self._cursor - self.scroll_offset.y, self.selected
        self.sync(rows)
        if self._awaited is not None and self._awaited == self.selected:
            return
        if at is not None or self.selected != selected:
            self._go(min(at or 0, len(rows) - 1), selected)
        elif self.selected is not None:
            self.scroll_to(y=max(0, self._cursor - offset), animate=False)

    def _step(self, rows: int) -> None:
        before = self._cursor
        super()._step(rows)
        if rows and before + rows not in range(self.row_count):
            self.post_message(self.Beyond(-1 if rows < 0 else 1, False))

    def action_scroll_top(self) -> None:
        """Go to the first row of all."""
        super()._step(-self.row_count)
        self.post_message(self.Beyond(-1, True))

    def action_scroll_bottom(self) -> None:
        """Go to the last row of all."""
        super()._step(self.row_count)
        self.post_message(self.Beyond(1, True))
