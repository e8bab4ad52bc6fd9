"""Lines of untrusted text with marked passages: cleaned, wrapped to a width, turned into segments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rich.segment import Segment
from rich.style import Style

from core.text import printable
from tui.widgets.wrapping import wrap

Mark = tuple[int, int, Style]
"""Start and end in characters, and the style between them."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is safe to draw, with its marks in order; marks do not overlap."""

    text: str
    marks: tuple[Mark, ...] = field(default=())

    def cut(self, start: int, end: int) -> Line:
        """The part from `start` to `end`, with its marks."""
        inside = (mark for mark in self.marks if mark[0] < end and mark[1] > start)
        return Line(self.text[start:end], tuple((max(a, start) - start, min(b, end) - start, style) for a, b, style in inside))

    def wrapped(self, width: int) -> list[Line]:
        """The line wrapped to a width in cells."""
        rows, at = [], 0
        for piece in wrap(self.text, width):
            rows.append(self.cut(at, at + len(piece)))
            at += len(piece)
        return rows

    def segments(self, base: Style, over: Sequence[Mark] = ()) -> list[Segment]:
        """Segments of the line; the marks `over` are added to its own."""
        edges = sorted({0, len(self.text), *(edge for a, b, _ in (*self.marks, *over) for edge in (a, b))})
        segments = []
        for start, end in pairwise(edges):
            style = base
            for a, b, more in (*self.marks, *over):
                if a <= start and end <= b:
                    style += more
            segments.append(Segment(self.text[start:end], style))
        return segments


def lines_of(text: str, marks: Iterable[Mark] = ()) -> list[Line]:
    """The lines of an untrusted text; marks count its characters before cleaning."""
    clean, moved, at = "", [], 0
    for start, end, style in sorted(marks, key=lambda mark: mark[:2]):
        start, end = max(start, at), min(end, len(text))
        if start >= end:
            continue
        clean += printable(text[at:start], keep_newlines=True)
        begins = len(clean)
        clean += printable(text[start:end], keep_newlines=True)
        moved.append((begins, len(clean), style))
        at = end
    whole = Line(clean + printable(text[at:], keep_newlines=True), tuple(moved))
    return list(_split(whole)) if moved else [Line(line) for line in whole.text.split("\n")]


def _split(whole: Line) -> Iterable[Line]:
    at = 0
    for line in whole.text.split("\n"):
        yield whole.cut(at, at + len(line))
        at += len(line) + 1
