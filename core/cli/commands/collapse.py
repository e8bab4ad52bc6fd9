"""collapse: how often outputs collapsed, what stopping them saved and lost, and where pruned families collapse."""

from __future__ import annotations

import click

from core.cli.call import Call
from core.cli.grammar import RESULTS, command, tabular


@command(RESULTS, "lrm-tui collapse", order=3)
@tabular
@click.option("--plot", is_flag=True, help="plot score over sparsity of each pruned family in the terminal")
def collapse(call: Call, plot: bool) -> int:
    """How often outputs ended in a loop, at what cost."""
    from core.cli.output import plotted, show, tables
    from core.results.show import narrow, plots
    from core.results.show.sheets import collapse_sheet
    from core.results.show.sheets_findings import points_sheet
    from core.results.show.writers import rich_table
    from core.results.tables.collapse_points import points as points_of
    from core.results.tables.loops import collapse_cells

    with tables(call) as connection:
        cells, points = collapse_cells(connection), points_of(connection)
    drawn = plotted(
        plot,
        lambda: plots.curves(points),
        lambda: [rich_table(narrow.collapse_sheet(cells)), *([rich_table(points_sheet(points))] if points else [])],
    )
    data = {"cells": cells, "points": points}
    show(call, data, cells, lambda: [collapse_sheet(cells), points_sheet(points)], drawn, "No responses yet.")
    return 0
