"""A view of a finished text in named parts, with marked passages and search matches; wrapped once for each width."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.widgets.styled import Line, Mark, lines_of

Kind = Literal["head", "plain", "thinking", "answer", "loop", "unit"]
STYLES: Mapping[Kind, Style] = {
    "head": Style(bold=True, reverse=True),
    "plain": Style(),
    "thinking": Style(dim=True),
    "answer": Style(),
    "loop": Style(bold=True, color="red"),
    "unit": Style(color="red"),
}
BARS: Mapping[Kind, str] = {"thinking": "┊ ", "loop": "▌ ", "unit": "▌ "}
MATCH, HERE = Style(reverse=True), Style(reverse=True, bold=True, color="yellow")
_MARGIN = 2


@dataclass(frozen=True, slots=True)
class Part:
    """A passage of text under a head; with an empty head it continues the part before. `go` finds it by `name`."""

    name: str
    head: str
    text: str
    kind: Kind
    marks: tuple[Mark, ...] = ()


class Reader(ScrollView, can_focus=True):
    """Shows parts; `go` scrolls to one, `find` marks matches and `step` walks through them."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[tuple[Line, Kind]] = []
        self._starts: dict[str, int] = {}
        self._rows: list[tuple[int, int, Line]] = []
        self._tops: list[int] = []
        self._matches: list[tuple[int, int, int]] = []
        self._here = -1
        self._pattern: re.Pattern[str] | None = None

    @property
    def rows(self) -> list[str]:
        """The visual lines."""
        return [row.text for _, _, row in self._rows]

    @property
    def matches(self) -> tuple[int, int]:
        """The number of the present match, from 1 (0: none), and how many there are."""
        return self._here + 1, len(self._matches)

    def show(self, parts: Iterable[Part], keep: bool = False) -> None:
        """Show these parts, from the top unless `keep`."""
        self._lines, self._starts = [], {}
        for part in parts:
            if part.head:
                self._lines += [(Line(""), "plain")] if self._lines else []
                if part.name:
                    self._starts[part.name] = len(self._lines)
                self._lines += [(line, "loop" if part.kind == "unit" else "head") for line in lines_of(f" {part.head} ")]
            self._lines += [(line, part.kind) for line in lines_of(part.text, part.marks)]
        self._search()
        self._wrap()
        if not keep:
            self.scroll_to(y=0, animate=False, force=True)

    def go(self, name: str) -> bool:
        """Scroll to the head of a part; False where there is none of that name."""
        line = self._starts.get(name)
        if line is not None:
            self.scroll_to(y=self._tops[line], animate=False)
        return line is not None

    def find(self, pattern: re.Pattern[str] | None) -> None:
        """Mark the matches, and scroll to the first one from the top line on. None clears the search."""
        self._pattern = pattern
        self._search()
        if self._matches:
            seen = self._rows[min(self.scroll_offset.y, len(self._rows) - 1)][0] if self._rows else 0
            self._here = bisect_right(self._matches, (seen, -1, -1)) % len(self._matches)
            self._to_match()
        self.refresh()

    def step(self, step: int) -> None:
        """Go to the next or previous match; after the last comes the first."""
        if self._matches:
            self._here = (self._here + step) % len(self._matches)
            self._to_match()
            self.refresh()

    def _search(self) -> None:
        self._here, self._matches = -1, []
        if self._pattern is not None:
            for number, (line, kind) in enumerate(self._lines):
                matches = () if kind == "head" else self._pattern.finditer(line.text)
                self._matches += [(number, *match.span()) for match in matches if match.group()]

    def _to_match(self) -> None:
        line, start, _ = self._matches[self._here]
        row = self._tops[line]
        while row + 1 < len(self._rows) and self._rows[row + 1][:2] <= (line, start):
            row += 1
        if not self.scroll_offset.y <= row < self.scroll_offset.y + self.size.height:
            self.scroll_to(y=max(0, row - self.size.height // 3), animate=False)

    def _wrap(self) -> None:
        width = max(8, (self.scrollable_content_region.width or 80) - _MARGIN)
        self._rows, self._tops = [], []
        for number, (line, _) in enumerate(self._lines):
            self._tops.append(len(self._rows))
            at = 0
            for row in line.wrapped(width):
                self._rows.append((number, at, row))
                at += len(row.text)
        self.virtual_size = Size(width, len(self._rows))
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        """Wrap again; the top line stays in view."""
        seen = self._rows[self.scroll_offset.y][0] if self.scroll_offset.y < len(self._rows) else 0
        self._wrap()
        if seen and self._tops:
            self.scroll_to(y=self._tops[seen], animate=False)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        width, at = self.size.width, y + self.scroll_offset.y
        if at >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        number, start, row = self._rows[at]
        kind = self._lines[number][1]
        base = STYLES[kind]
        bar = Segment(BARS.get(kind, "  "), Style() if kind == "head" else base)
        strip = Strip([bar, *row.segments(base, self._over(number, start, row))])
        return strip.adjust_cell_length(width).apply_style(self.rich_style)

    def _over(self, number: int, start: int, row: Line) -> Sequence[Mark]:
        """The matches in a row, as marks counted from the row's beginning."""
        if not self._matches:
            return ()
        marks: list[Mark] = []
        at = bisect_right(self._matches, (number, start, -1))
        at = max(0, at - 1)
        while at < len(self._matches) and self._matches[at][0] <= number:
            line, a, b = self._matches[at]
            if line == number and a < start + len(row.text) and b > start:
                marks.append((max(0, a - start), min(len(row.text), b - start), HERE if at == self._here else MATCH))
            elif line == number and a >= start + len(row.text):
                break
            at += 1
        return marks
