"""A list of checkboxes that can be read without colours, with headings between groups."""

from __future__ import annotations

from rich.segment import Segment
from textual.strip import Strip
from textual.widgets import SelectionList
from textual.widgets.selection_list import Selection

from tui.shown import safe


def head(text: str) -> Selection[str]:
    """A heading, which cannot be selected."""
    return Selection(safe(text, "bold"), f"#{text}", disabled=True)


class Choices(SelectionList[str]):
    """Textual draws an X in every box, in two colours; here only selected boxes have one."""

    def render_line(self, y: int) -> Strip:
        """An option with its box, or a heading without one."""
        strip = super().render_line(y)
        index = self.scroll_offset.y + y
        if index >= self.option_count:
            return strip
        option = self.get_option_at_index(index)
        if option.value in self.selected:
            return strip
        segments = list(strip)
        box = next(n for n, segment in enumerate(segments) if segment.text == "X")
        if option.disabled:
            segments[box - 1 : box + 2] = []
            return Strip(segments).adjust_cell_length(strip.cell_length, segments[-1].style)
        segments[box] = Segment(" ", segments[box].style)
        return Strip(segments, strip.cell_length)
