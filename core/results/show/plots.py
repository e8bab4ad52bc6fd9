"""What is plotted: score over sparsity with collapse points, score by tenth of length, and the front of score over size.

A plot is plain data: `drawing` makes SVG and PNG of it, `terminal_plot` text for a terminal.
"""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from core.results.rows import Candidate, DecileRow, PointRow

MARKS = string.digits[1:] + string.ascii_letters
TOGETHER = 6
"""Lines that one can tell apart in one plot."""


@dataclass(frozen=True, slots=True)
class Point:
    """A value at `x`, with the ends of its interval where there is one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """A named line; without `joined` its points stand alone. `span` is a stretch of x to be marked, a collapse interval."""

    name: str
    points: tuple[Point, ...]
    joined: bool = True
    span: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over one x, with y in percent from 0 to 100; `name` is fit for a file."""

    name: str
    title: str
    x_label: str
    series: tuple[Series, ...]


def curves(points: Sequence[PointRow]) -> list[Plot]:
    """By family, score over sparsity on each benchmark, from what `collapse_points.points` gives."""
    families = groupby(points, key=lambda row: (row["family"], row["origin"]))
    return [
        Plot(f"sparsity-{number}", f"{family}: score over sparsity", "sparsity in %", tuple(map(_curve, rows)))
        for number, ((family, _), rows) in enumerate(families, 1)
    ]


def _curve(row: PointRow) -> Series:
    steps = tuple(Point(step["sparsity"], step["score"], *step["score_ci"]) for step in row["curve"])
    low, high = row["low"], row["high"]
    if low is not None and high is not None:
        return Series(f"{row['benchmark']}, collapses between {low:g} and {high:g} %", steps, span=(low, high))
    return Series(f"{row['benchmark']}, {row['state']}", steps)


def tenths(rows: Sequence[DecileRow]) -> list[Plot]:
    """By benchmark, score over the tenths of length, a line a variant, from what `lengths.deciles_rows` gives."""
    plots: list[Plot] = []
    for benchmark in dict.fromkeys(row["benchmark"] for row in rows):
        lines = [_tenths(row) for row in rows if row["benchmark"] == benchmark]
        parts = [tuple(lines[at : at + TOGETHER]) for at in range(0, len(lines), TOGETHER)]
        for number, part in enumerate(parts, 1):
            which = f", part {number} of {len(parts)}" if len(parts) > 1 else ""
            title = f"{benchmark}: score by tenth of length{which}"
            plots.append(Plot(f"deciles-{len(plots) + 1}", title, "tenth of the outputs, shortest first", part))
    return plots


def _tenths(row: DecileRow) -> Series:
    return Series(row["label"], tuple(Point(place, tenth["score"]) for place, tenth in enumerate(row["deciles"], 1)))


def front(candidates: Sequence[Candidate]) -> Plot:
    """Average over size: the front as a line, each candidate as a point of its own, from `recommend`'s front."""
    unit, name = (1e9, "GB") if any(c["bytes"] >= 1e8 for c in candidates) else (1e6, "MB")
    shown = [(c, Point(c["bytes"] / unit, c["score"], *c["score_ci"])) for c in candidates]
    best = Series("front", tuple(Point(point.x, point.y) for candidate, point in shown if candidate["on_front"]))
    alone = (Series(candidate["label"], (point,), joined=False) for candidate, point in shown)
    return Plot("size", "Average over size", f"weights in {name}", (best, *alone))


def marks(plot: Plot) -> list[str]:
    """A character for each series, by which its points and its name go together; a front's line needs none."""
    needs = [not (one.joined and any(not other.joined for other in plot.series)) for one in plot.series]
    numbers = iter(MARKS)
    return [next(numbers, "•") if need else " " for need in needs]


def reach(plot: Plot) -> tuple[float, float]:
    """The ends of x: from 0, or the first tenth, to the last point."""
    xs = [point.x for one in plot.series for point in one.points] or [0.0]
    return min(0.0 if min(xs) != 1 else 1.0, *xs), max(*xs, 1e-9) if len(xs) > 1 else max(xs[0], 1e-9)


def ticks(low: float, high: float) -> list[float]:
    """Five to ten round numbers between two ends."""
    step = 10 ** math.floor(math.log10(high - low)) if high > low else 1.0
    step = next(s for s in (step / 5, step / 2, step, 2 * step, 5 * step) if (high - low) / s <= 10)
    return [round(n * step, 10) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
