"""How a command shows its table: --format table, csv, markdown, latex, json or html."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import RenderableType

from core.cli.common import console, print_json
from core.results.show.plots import Plot
from core.results.show.sheets import Sheet
from core.results.show.writers import csv_text, html_page, html_table, latex, markdown, rich_table

Drawn = Callable[[], Sequence[RenderableType]]
WIDEST = 100
"""Columns of a plot."""


def show(
    given: Namespace,
    data: object,
    rows: Sequence[Mapping[str, Any]],
    sheets: Callable[[], Sequence[Sheet]],
    drawn: Drawn | None = None,
    empty: str = "Nothing to show yet.",
) -> None:
    """Print `data` as JSON, `rows` as CSV, or `sheets` in any other format; `drawn` replaces them on a terminal."""
    form = "json" if given.json else given.format
    if form == "json":
        print_json(data)
    elif form == "csv":
        print(csv_text(rows), end="")
    elif form == "html":
        print(html_page(f"lrm-tui {given.command}", "".join(map(html_table, sheets()))), end="")
    elif form in ("markdown", "latex"):
        print("\n".join(map({"markdown": markdown, "latex": latex}[form], sheets())), end="")
    elif not rows:
        console().print(empty)
    else:
        for table in drawn() if drawn else [rich_table(sheet) for sheet in sheets()]:
            console().print(table)


def plotted(given: Namespace, plots: Callable[[], Sequence[Plot]], table: Callable[[], Sequence[RenderableType]]) -> Drawn:
    """What to draw on a terminal: the table, or with --plot its plots as wide as the terminal."""

    def drawn() -> Sequence[RenderableType]:
        from core.results.show.terminal_plot import text_plot

        width = min(console().width, WIDEST)
        return [text_plot(plot, width, max(12, width // 4)) for plot in plots()] or ["There is nothing to plot yet."]

    return drawn if given.plot else table
