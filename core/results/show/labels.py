"""Where the labels of a plot stand: beside their points, and never over one another or over another point."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

Position = tuple[float, float]
"""(x, y) in units of the drawing, from its top left corner."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in units of the drawing."""

WIDE, HIGH = 8.0, 10.0
"""Of a character of a label."""
DOT = 3.0
NEAR = 16.0
"""Distance from which a line leads from a point to its label."""
STEP, RINGS, DIRECTIONS = 5.0, 40, 16


@dataclass(slots=True)
class Labels:
    """The labels of one plot within its bounds, and the points that they keep clear of."""

    bounds: Box
    dots: Sequence[Position]
    taken: list[Box] = field(default_factory=list)

    def place(self, point: Position, text: str) -> Position:
        """The start of the baseline of a point's label: the nearest free place around it, to its upper right first."""
        boxes = (_box(place, text) for place in _around(point))
        free = (box for box in boxes if self._is_free(box, point))
        box = next(free, _box((point[0] + 6, point[1] - 5), text))
        self.taken.append(box)
        return box[0], box[3]

    def _is_free(self, box: Box, own: Position) -> bool:
        left, top, right, bottom = self.bounds
        if box[0] < left or box[1] < top or box[2] > right + 2 * WIDE or box[3] > bottom:
            return False
        around = (_square(dot) for dot in self.dots if dot != own)
        return not any(_meet(box, other) for other in (*self.taken, *around, _square(own)))


def _around(point: Position) -> Iterator[Position]:
    """Baseline starts in widening rings, the upper right of each ring first."""
    for ring in range(1, RINGS):
        for turn in range(DIRECTIONS):
            angle = math.pi / 4 + (turn + 1) // 2 * (1 if turn % 2 else -1) * 2 * math.pi / DIRECTIONS
            reach = STEP + STEP * ring
            yield point[0] + reach * math.cos(angle) - WIDE / 4, point[1] - reach * math.sin(angle) + HIGH / 4


def _box(start: Position, text: str) -> Box:
    return start[0], start[1] - HIGH, start[0] + WIDE * len(text), start[1]


def _square(dot: Position) -> Box:
    return dot[0] - DOT, dot[1] - DOT, dot[0] + DOT, dot[1] + DOT


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
