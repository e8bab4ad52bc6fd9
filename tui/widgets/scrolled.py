"""A text to read in a dialog: wrapped once for each width; only the rows in view are drawn."""

from __future__ import annotations

from rich.text import Text
from textual.events import Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip


class Scrolled(ScrollView, can_focus=True):
    """As high as its text, where its style sets the height to auto."""

    def __init__(self, text: Text) -> None:
        super().__init__()
        self.text = text
        self._lines = text.split("\n", allow_blank=True)
        self._rows: list[Text] = []
        self._width = 0

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Rows at a width in cells."""
        self._wrap(width)
        return len(self._rows)

    def on_resize(self, event: Resize) -> None:
        """Wrap again: a scroll bar takes a column."""
        self._wrap(self.scrollable_content_region.width)
        self.virtual_size = Size(0, len(self._rows))

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        width, at = self.size.width, y + self.scroll_offset.y
        if at >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        strip = Strip(self._rows[at].render(self.app.console))
        return strip.adjust_cell_length(width).apply_style(self.rich_style)

    def _wrap(self, width: int) -> None:
        if width == self._width:
            return
        self._width, self._rows = width, []
        for line in self._lines:
            self._rows.extend([line] if line.cell_len <= width else line.wrap(self.app.console, width))
