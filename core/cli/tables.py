"""scores, lengths and collapse: the tables of one's own runs, beside the paper's numbers where asked."""

from __future__ import annotations

from argparse import Namespace

from core.cli.common import tables
from core.cli.output import plotted, show
from core.errors import UsageError
from core.results.show import plots
from core.results.show.render import collapse_table, lengths_table, scores_table
from core.results.show.sheets import collapse_sheet, deciles_sheet, lengths_sheet, scores_sheets
from core.results.show.sheets_findings import points_sheet
from core.results.show.writers import rich_table
from core.results.tables.collapse_points import points
from core.results.tables.lengths import deciles_rows, lengths_rows
from core.results.tables.loops import collapse_cells
from core.results.tables.published import lengths_with_differences, published_lengths, published_rows, with_differences
from core.results.tables.scores import by_benchmark, scores_rows


def scores(given: Namespace) -> int:
    """Print the score table."""
    rows = scores_rows(tables(given))
    if given.published:
        rows = [*with_differences(rows), *published_rows()]
    show(given, rows, by_benchmark(rows), lambda: scores_sheets(rows), lambda: [scores_table(rows)], "No responses yet.")
    return 0


def lengths(given: Namespace) -> int:
    """Print the scores of the shortest and of the longest q percent, or of every tenth."""
    if not 0 < given.q <= 50:
        raise UsageError(f"--q {given.q} is out of range.", "Give more than 0 and at most 50 percent.")
    connection = tables(given)
    nothing = "No finished runs with enough responses yet."
    if given.deciles or given.plot:
        tenths = deciles_rows(connection)
        drawn = plotted(given, lambda: plots.tenths(tenths), lambda: [rich_table(deciles_sheet(tenths))])
        show(given, tenths, tenths, lambda: [deciles_sheet(tenths)], drawn, nothing)
        return 0
    rows = lengths_rows(connection, given.q)
    if given.published:
        rows = [*lengths_with_differences(rows), *published_lengths(given.q)]
    show(given, rows, rows, lambda: [lengths_sheet(rows)], lambda: [lengths_table(rows)], nothing)
    return 0


def collapse(given: Namespace) -> int:
    """Print how often outputs collapsed and what stopping them saved and lost, and where pruned families collapse."""
    connection = tables(given)
    cells, found = collapse_cells(connection), points(connection)
    show(
        given,
        {"cells": cells, "points": found},
        cells,
        lambda: [collapse_sheet(cells), points_sheet(found)],
        plotted(
            given,
            lambda: plots.curves(found),
            lambda: [collapse_table(cells), *([rich_table(points_sheet(found))] if found else [])],
        ),
        "No responses yet.",
    )
    return 0
