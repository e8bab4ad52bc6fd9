"""How a command shows its table: --format table, csv, markdown, latex, json or html.

A table is folded to the terminal that it goes to; in a pipe every row is one line, and nothing is folded.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console, RenderableType

from core.cli.call import Call
from core.text import json_text

if TYPE_CHECKING:
    from core.results.show.plots import Plot
    from core.results.show.sheets import Sheet
    from core.results.tables.printed import Edition

Drawn = Callable[[], "Sequence[RenderableType]"]
Sheets = Callable[[], "Sequence[Sheet]"]
WIDEST = 100
"""Columns of a plot."""
PIPE = 1_000_000
"""Columns of what is no terminal: lines are never folded there."""


def print_json(value: object) -> None:
    """Print data for programs."""
    print(json_text(value, indent=2))


def console() -> Console:
    """A console that leaves markup alone, since what it prints comes from models and files; a pipe's folds no line."""
    return Console(markup=False, highlight=False, emoji=False, width=None if sys.stdout.isatty() else PIPE)


def print_sheets(sheets: Sequence[Sheet]) -> None:
    """Print tables for whoever reads them: folded to a terminal, a line a row in a pipe."""
    from core.results.show.layout import SheetTable, piped

    for number, sheet in enumerate(sheets):
        if number:
            print()
        if sys.stdout.isatty():
            console().print(SheetTable(sheet))
        else:
            print(piped(sheet), end="")


@contextmanager
def tables(call: Call) -> Iterator[sqlite3.Connection]:
    """A reader of the store for its tables, after what they need of ended runs has been packed, once a run."""
    from core.cli.progress import Bar
    from core.results.summary_cache import cache_missing

    with Bar() as bar:
        cache_missing(call.store, lambda done, total: bar.update("Packing ended runs for the tables, once", done, total))
    with call.reading() as connection:
        yield connection


def show(
    call: Call,
    data: object,
    rows: Sequence[Mapping[str, object]],
    sheets: Sheets,
    terminal: Sheets | None = None,
    drawn: Drawn | None = None,
    empty: str = "Nothing to show yet.",
) -> None:
    """Print `data` as JSON, `rows` as CSV, or `sheets` in any other format.

    `terminal`: sheets that are narrower, for a terminal; `drawn`: what to draw in place of any table, as plots are.
    """
    from core.results.show.writers import csv_text, html_page, html_table, latex, markdown

    form = "json" if call.json else call.format
    if form == "json":
        print_json(data)
    elif form == "csv":
        print(csv_text(rows), end="")
    elif form == "html":
        title = f"lrm-tui {click.get_current_context().info_name}"
        print(html_page(title, "".join(map(html_table, sheets()))), end="")
    elif form in ("markdown", "latex"):
        print("\n".join(map({"markdown": markdown, "latex": latex}[form], sheets())), end="")
    elif not rows:
        console().print(empty)
    elif drawn:
        for part in drawn():
            console().print(part)
    else:
        print_sheets(terminal() if terminal and sys.stdout.isatty() else sheets())


def name_other_editions(others: Sequence[Edition], edition: Edition) -> None:
    """Say on the error stream which other editions have numbers of variants that the chosen one lacks."""
    if others:
        options = " and ".join(f"--edition {other}" for other in others)
        click.echo(f"{edition} lacks variants of this store that other editions have: {options}.", err=True)


def plotted(plots: Callable[[], Sequence[Plot]]) -> Drawn:
    """Plots as wide as the terminal."""

    def drawn() -> Sequence[RenderableType]:
        from core.results.show.terminal_plot import text_plot

        width = min(console().width, WIDEST)
        return [text_plot(plot, width, max(12, width // 4)) for plot in plots()] or ["There is nothing to plot yet."]

    return drawn
