"""The series of `core.analysis.plots` as characters, drawn by plotext."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from core.analysis.plots import Series, ticks
from core.text import printable

COLOURS = ("cyan", "orange", "green", "magenta", "yellow", "blue", "red", "white")
MARKERS = "oxs*+#%@"
"""Points of each series look different too, for terminals without colours; the first series lies on top."""
_FIGURE = Lock()  # plotext has one figure


def terminal_plot(
    series: Sequence[Series], width: int, height: int, x_label: str, y_most: float = 100, ascii: bool = False
) -> str:
    """A plot of `width` x `height` cells with y from 0 to `y_most`, as text with colours in ANSI sequences."""
    import plotext as plt

    with _FIGURE:
        plt.clear_figure()
        plt.theme("clear")
        plt.limit_size(False, False)
        plt.plot_size(width, height)
        plt.ylim(0, y_most)
        places = [0, y_most / 4, y_most / 2, 3 * y_most / 4, y_most]
        plt.yticks(places, [f"{place:,.0f}" for place in places])
        xs = [point.x for one in series for point in one.points]
        if xs:
            low, high = min(xs), max(*xs, min(xs) + 1e-9)
            plt.xlim(low, high)
            marks = ticks(low, high)
            plt.xticks(marks, [f"{mark:g}" for mark in marks])
        for number, one in reversed(list(enumerate(series))):
            x, y = [point.x for point in one.points], [point.y for point in one.points]
            colour, sign = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            if one.joined and len(x) > 1:
                plt.plot(x, y, marker="." if ascii else "braille", color=colour)
            plt.scatter(x, y, marker=sign, color=colour)
        plt.xlabel(printable(x_label))
        return str(plt.build())
