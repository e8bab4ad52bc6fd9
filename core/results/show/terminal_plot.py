"""The series of `core.results.show.plots` as characters, drawn by plotext."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from rich.text import Text

from core.results.show.plots import Plot, Series, marks, reach, ticks
from core.text import printable

COLOURS = ("cyan", "orange", "green", "magenta", "yellow", "blue", "red", "white")
MARKERS = "oxs*+#%@"
"""Points of each series look different too, for terminals without colours; the first series lies on top."""
MOST = 100
AROUND = 4
"""Rows of a plot that its axis and its labels take."""
_FIGURE = Lock()  # plotext has one figure


def terminal_plot(
    series: Sequence[Series],
    width: int,
    height: int,
    x_label: str,
    ascii: bool = False,
    signs: Sequence[str] = MARKERS,
    ends: tuple[float, float] | None = None,
) -> str:
    """A plot of `width` x `height` cells with y from 0 to 100, as text with colours in ANSI sequences.

    Spans are bars below y = 0, a row each. `signs` mark the points of each series, " " none; `ends` are those of x, if not
    the outermost points.
    """
    import plotext as plt

    spans = sum(one.span is not None for one in series)
    rows = height - AROUND - spans
    row = MOST / max(4, rows)
    with _FIGURE:
        plt.clear_figure()
        plt.theme("clear")
        plt.limit_size(False, False)
        plt.plot_size(width, height)
        plt.ylim(-row * (spans + 0.5) if spans else 0, MOST)
        parts = next((parts for parts in (4, 2, 1) if parts < rows), 1)  # of marks in one row plotext draws any one
        places = [MOST * part // parts for part in range(parts + 1)] if rows > 1 else [MOST]
        plt.yticks(places, [str(place) for place in places])
        xs = [point.x for one in series for point in one.points] or [0.0]
        low, high = ends or (min(xs), max(xs))
        high = max(high, low + 1e-9 * max(1.0, abs(low)))
        plt.xlim(low, high)
        at = ticks(low, high)
        plt.xticks(at, [f"{mark:g}" for mark in at])
        level = -row * (spans + 1)
        for number, one in reversed(list(enumerate(series))):
            x, y = [point.x for point in one.points], [point.y for point in one.points]
            colour, sign = COLOURS[number % len(COLOURS)], signs[number % len(signs)]
            if one.span:
                level += row
                bar = [min(max(end, low), high) for end in one.span]  # plotext takes for ever over what lies far outside
                plt.plot(bar, [level, level], marker="=" if ascii else "hd", color=colour)
            if one.joined and len(x) > 1:
                plt.plot(x, y, marker="." if ascii else "braille", color=colour)
            if sign.strip():
                plt.scatter(x, y, marker=sign, color=colour)
        plt.xlabel(printable(x_label))
        return str(plt.build())


def text_plot(plot: Plot, width: int = 78, height: int = 20, ascii: bool = False) -> Text:
    """A plot with its title above and a line a series below; numbers mark the points, which a front may have many of."""
    signs = marks(plot)
    drawn = terminal_plot(plot.series, max(30, width), max(10, height), plot.x_label, ascii, signs, reach(plot))
    lines = [Text(printable(plot.title), "bold"), Text.from_ansi(drawn)]
    for number, (one, sign) in enumerate(zip(plot.series, signs, strict=True)):
        lines.append(Text(f"{sign} {printable(one.name)}{' (bar)' if one.span else ''}", colour_of(number)))
    return Text("\n").join(lines)


def colour_of(number: int) -> str:
    """A series' colour as rich calls it, for its line in a legend."""
    return COLOURS[number % len(COLOURS)].replace("orange", "dark_orange")
