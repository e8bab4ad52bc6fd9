"""A list to choose several from, whose marks can be read without colours."""

from __future__ import annotations

from rich.segment import Segment
from textual.strip import Strip
from textual.widgets import SelectionList


class Choices(SelectionList[str]):
    """Textual draws the same X for chosen and not chosen, in two colours; here only what is chosen has one."""

    def render_line(self, y: int) -> Strip:
        """A line with its box."""
        strip = super().render_line(y)
        index = self.scroll_offset.y + y
        if index >= self.option_count or self.get_option_at_index(index).value in self.selected:
            return strip
        box = next(n for n, segment in enumerate(strip) if segment.text == "X")
        segments = list(strip)
        segments[box] = Segment(" ", segments[box].style)
        return Strip(segments, strip.cell_length)
