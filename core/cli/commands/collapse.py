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
    from core.results.tables.collapse_points import points as points_of
    from core.results.tables.loops import collapse_cells

    with tables(call) as connection:
        cells, points = collapse_cells(connection), points_of(connection)
    drawn = plotted(lambda: plots.curves(points)) if plot else None
    below = [points_sheet(points)] if points else []
    show(
        call,
        {"cells": cells, "points": points},
        cells,
        lambda: [collapse_sheet(cells), *below],
        lambda: [narrow.collapse_sheet(cells), *below],
        drawn,
        "No responses yet.",
    )
    return 0
