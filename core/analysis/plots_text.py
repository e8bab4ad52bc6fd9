"""Plots as text for a terminal, drawn by plotext: lines of braille dots, a number on each point, the names below.

Numbers tell the lines apart where there are no colours. A collapse interval is a bar of its own under the x axis's zero.
"""

from __future__ import annotations

from threading import Lock

from rich.text import Text

from core.analysis.plots import Plot, marks, reach
from core.text import printable

COLOURS = ("blue", "red", "green", "magenta", "cyan", "orange")
RICH = ("blue", "red", "green", "magenta", "cyan", "dark_orange3")
_ONE_AT_A_TIME = Lock()
"""plotext draws into a figure of its module."""


def text_plot(plot: Plot, width: int = 78, height: int = 20) -> Text:
    """A plot of so many columns and rows, and a line a series below it."""
    drawn = Text.from_ansi(_drawn(plot, max(30, width), max(10, height)))
    for at, (one, mark) in enumerate(zip(plot.series, marks(plot), strict=True)):
        bar = " (bar)" if one.span else ""
        drawn.append(f"\n{mark} {printable(one.name)}{bar}", RICH[at % len(RICH)])
    return drawn


def _drawn(plot: Plot, width: int, height: int) -> str:
    import plotext

    bars = sum(one.span is not None for one in plot.series)
    row = 100 / max(4, height - 7 - bars)
    with _ONE_AT_A_TIME:
        plotext.clear_figure()
        plotext.limit_size(False, False)
        plotext.plot_size(width, height)
        for paint in (plotext.canvas_color, plotext.axes_color, plotext.ticks_color):
            paint("default")
        plotext.title(printable(plot.title))
        plotext.xlabel(plot.x_label)
        plotext.ylim(-row * (bars + 0.5) if bars else 0, 100)
        plotext.yticks(list(range(0, 101, 20)))
        low, high = _wide(*reach(plot))
        plotext.xlim(low, high)
        level = 0.0
        for at, (one, mark) in enumerate(zip(plot.series, marks(plot), strict=True)):
            colour = COLOURS[at % len(COLOURS)]
            xs, ys = [point.x for point in one.points], [point.y for point in one.points]
            if one.span:
                level -= row
                ends = [min(max(end, low), high) for end in one.span]  # plotext takes for ever over what lies far outside
                plotext.plot(ends, [level, level], marker="hd", color=colour)
            if one.joined:
                plotext.plot(xs, ys, marker="braille", color=colour)
            if mark.strip():
                plotext.scatter(xs, ys, marker=mark, color=colour)
        return str(plotext.build())


def _wide(low: float, high: float) -> tuple[float, float]:
    """plotext needs two ends that differ."""
    return (low, high) if high - low > 1e-9 * abs(high) else (low - 1, low + 1)
