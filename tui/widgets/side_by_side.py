"""Two texts in two columns, with differences marked and equal passages aligned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from core.results.show.word_diff import Block
from tui.widgets.styled import Line, Mark, lines_of

LEVEL_WORDS = 8
"""An equal passage of so many words aligns both columns again."""
EQUAL = Style(dim=True)
ONLY_LEFT = Style(bold=True, color="yellow")
ONLY_RIGHT = Style(bold=True, color="cyan")
"""Neither red nor green: those say everywhere whether something is wrong or right, and a side is neither."""
_RULE = " │ "


class SideBySide(ScrollView, can_focus=True):
    """Shows the blocks of `core.results.show.word_diff`."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._blocks: Sequence[Block] = ()
        self._rows: list[tuple[Line, Line]] = []
        self._changes: list[int] = []

    @property
    def rows(self) -> list[tuple[str, str]]:
        """The visual lines, left and right."""
        return [(left.text, right.text) for left, right in self._rows]

    def show(self, blocks: Sequence[Block]) -> None:
        """Show these blocks, from the top."""
        self._blocks = blocks
        self._wrap()
        self.scroll_to(y=0, animate=False, force=True)

    def change(self, step: int) -> bool:
        """Scroll to the next or previous difference. Returns False where there is none."""
        here = self.scroll_offset.y
        rows = [row for row in self._changes if (row > here if step > 0 else row < here)]
        if rows:
            self.scroll_to(y=rows[0 if step > 0 else -1], animate=False)
        return bool(rows)

    @property
    def _column(self) -> int:
        return max(8, ((self.scrollable_content_region.width or 80) - len(_RULE)) // 2)

    def _wrap(self) -> None:
        width = self._column
        self._rows, self._changes = [], []
        for band in _bands(self._blocks):
            at = len(self._rows)
            left, right = (_column(band, side, width) for side in (0, 1))
            self._rows += zip_longest(left, right, fillvalue=Line(""))
            changed = (n for n, pair in enumerate(self._rows[at:], at) if any(_differs(line) for line in pair))
            self._changes += [n for n in [next(changed, None)] if n is not None]
        self.virtual_size = Size(2 * width + len(_RULE), len(self._rows))
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        """Wrap again."""
        self._wrap()

    def page(self, step: int) -> None:
        """Scroll by a page."""
        self.scroll_relative(y=step * max(1, self.size.height - 1), animate=False)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        at, width = y + self.scroll_offset.y, self._column
        if at >= len(self._rows):
            return Strip.blank(self.size.width, self.rich_style)
        left, right = (Strip(line.segments(Style())) for line in self._rows[at])
        rule = Strip([Segment(_RULE, EQUAL)])
        strip = Strip.join([left.adjust_cell_length(width), rule, right.adjust_cell_length(width)])
        return strip.adjust_cell_length(self.size.width).apply_style(self.rich_style)


def _differs(line: Line) -> bool:
    return any(style != EQUAL for _, _, style in line.marks)


def _bands(blocks: Iterable[Block]) -> list[list[Block]]:
    """Groups of blocks; both columns are aligned where a group begins."""
    bands: list[list[Block]] = []
    for block in blocks:
        if not bands or (block.equal and len(block.left.split()) >= LEVEL_WORDS):
            bands.append([])
        bands[-1].append(block)
    return bands


def _column(band: Sequence[Block], side: int, width: int) -> list[Line]:
    text, marks = "", list[Mark]()
    for block in band:
        piece = block.right if side else block.left
        style = EQUAL if block.equal else ONLY_RIGHT if side else ONLY_LEFT
        marks.append((len(text), len(text) + len(piece), style))
        text += piece
    return [row for line in lines_of(text.rstrip("\n"), marks) for row in line.wrapped(width)] if text else []
