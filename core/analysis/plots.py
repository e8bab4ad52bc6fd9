"""Line plots as SVG, without a drawing library: scores over sparsity and over size, with their intervals."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.text import printable

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 200, 36, 48
COLOURS = ("#1b6ca8", "#c2571a", "#2b8a3e", "#9c36b5", "#b58900", "#0b7285", "#c92a2a", "#495057")


@dataclass(frozen=True, slots=True)
class Point:
    """A value at `x`, with the ends of its interval where there is one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """A named line; without `joined` its points stand alone."""

    name: str
    points: tuple[Point, ...]
    joined: bool = True


def curves(points: Sequence[Mapping[str, Any]]) -> dict[str, list[Series]]:
    """By family, score over sparsity on each benchmark, from the curves of `collapse_points.points`."""
    found: dict[str, list[Series]] = {}
    for row in points:
        steps = tuple(Point(s["sparsity"], s["score"], *s["score_ci"]) for s in row["curve"])
        found.setdefault(row["family"], []).append(Series(row["benchmark"], steps))
    return found


def front(candidates: Sequence[Mapping[str, Any]]) -> list[Series]:
    """Average over size in GB: the front as a line, each candidate as a point of its own."""
    shown = [(c, Point(c["bytes"] / 1e9, c["score"], *c["score_ci"])) for c in candidates]
    best = Series("front", tuple(point for candidate, point in shown if candidate["on_front"]))
    return [best, *(Series(candidate["label"], (point,), joined=False) for candidate, point in shown)]


def svg(title: str, x_label: str, y_label: str, series: Sequence[Series]) -> str:
    """A plot with y from 0 to 100; lines in distinct colours, intervals as bars, names at the right."""
    xs = [point.x for one in series for point in one.points] or [0.0]
    low, high = min(0.0, *xs), max(*xs, 1e-9)

    def x(value: float) -> float:
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / 100 * (HEIGHT - TOP - BOTTOM)

    parts = [_text(LEFT, 20, title, size=14)]
    for tick in range(0, 101, 20):
        parts.append(f'<path d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 6, y(tick) + 4, str(tick), anchor="end"))
    for value in ticks(low, high):
        parts.append(_text(x(value), HEIGHT - BOTTOM + 16, f"{value:g}", anchor="middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_label, anchor="middle"))
    parts.append(f'<g transform="translate(14 {HEIGHT / 2:.0f}) rotate(-90)">{_text(0, 0, y_label, anchor="middle")}</g>')
    for at, one in enumerate(series):
        colour = COLOURS[at % len(COLOURS)]
        places = [(x(p.x), y(p.y)) for p in one.points]
        parts += _marks(
            one, places, colour, [(y(p.low), y(p.high)) for p in one.points if p.low is not None and p.high is not None]
        )
        parts.append(_text(WIDTH - RIGHT + 12, TOP + 16 * at + 4, one.name, colour=colour))
    height = max(HEIGHT, TOP + 16 * len(series) + 10)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
    return (
        head
        + 'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        + "".join(parts)
        + "</svg>\n"
    )


def _marks(
    one: Series, places: Sequence[tuple[float, float]], colour: str, ends: Sequence[tuple[float, float]]
) -> Iterator[str]:
    if one.joined and len(places) > 1:
        line = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
        yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for (px, _), (bottom, top) in zip(places, ends, strict=False):
        yield f'<path d="M{px:.1f} {bottom:.1f}V{top:.1f}" stroke="{colour}" stroke-opacity=".45"/>'
    for px, py in places:
        yield f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>'


def ticks(low: float, high: float) -> list[float]:
    """Five to ten round numbers between two ends."""
    step = 10 ** math.floor(math.log10(high - low)) if high > low else 1.0
    step = next(s for s in (step / 5, step / 2, step, 2 * step, 5 * step) if (high - low) / s <= 10)
    return [round(n * step, 10) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 12, colour: str = "#222") -> str:
    shown = html.escape(printable(text))
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{shown}</text>'
