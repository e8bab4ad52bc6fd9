"""What is plotted: score over size with its front, over sparsity, under smaller limits, and by tenth of length.

A plot is plain data: `drawing` makes SVG and PNG of it, `terminal_plot` text for a terminal.
"""

from __future__ import annotations

import math
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from core.results.rows import BudgetRow, Candidate, DecileRow, PointRow

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
    """A named line; without `joined` its points stand alone, without `dotted` only the line is drawn.

    `span` is a stretch of x to be marked, a collapse interval.
    """

    name: str
    points: tuple[Point, ...]
    joined: bool = True
    span: tuple[float, float] | None = None
    dotted: bool = True


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
        for title, part in _in_parts(f"{benchmark}: score by tenth of length", lines):
            plots.append(Plot(f"deciles-{len(plots) + 1}", title, "tenth of the outputs, shortest first", part))
    return plots


def _tenths(row: DecileRow) -> Series:
    return Series(row["label"], tuple(Point(place, tenth["score"]) for place, tenth in enumerate(row["deciles"], 1)))


def budgets(rows: Sequence[BudgetRow]) -> list[Plot]:
    """By benchmark, score over ever larger limits, a line a variant, from what `budgets.budget_rows` gives.

    Of many variants some are shown, spread over their scores from the worst to the best.
    """
    plots: list[Plot] = []
    for benchmark, unit in dict.fromkeys((row["benchmark"], row["unit"]) for row in rows):
        lines = [row for row in rows if (row["benchmark"], row["unit"]) == (benchmark, unit)]
        last = max(row["points"][-1]["limit"] for row in lines)
        shown = _spread(sorted(lines, key=lambda row: -row["points"][-1]["score"]))
        which = f", {len(shown)} of {len(lines)} variants" if len(shown) < len(lines) else ""
        series = tuple(_budget(row, last) for row in shown)
        plots.append(
            Plot(f"budget-{len(plots) + 1}", f"{benchmark}: score under smaller limits{which}", f"limit in {unit}", series)
        )
    return plots


def _spread(rows: Sequence[BudgetRow]) -> list[BudgetRow]:
    """The first, the last, and some between them at equal distances, as many as one can tell apart."""
    if len(rows) <= TOGETHER:
        return list(rows)
    return [rows[round(place * (len(rows) - 1) / (TOGETHER - 1))] for place in range(TOGETHER)]


def _budget(row: BudgetRow, last: float) -> Series:
    """Its line, level from its own last point to the last of all."""
    points = [Point(point["limit"], point["score"]) for point in row["points"]]
    return Series(row["label"], (*points, Point(last, points[-1].y)), dotted=False)


def _in_parts(title: str, lines: Sequence[Series]) -> Iterator[tuple[str, tuple[Series, ...]]]:
    """As many lines a plot as one can tell apart, and titles that number the plots."""
    parts = [tuple(lines[at : at + TOGETHER]) for at in range(0, len(lines), TOGETHER)]
    for number, part in enumerate(parts, 1):
        yield title + (f", part {number} of {len(parts)}" if len(parts) > 1 else ""), part


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
