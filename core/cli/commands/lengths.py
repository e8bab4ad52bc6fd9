"""lengths: scores of the shortest and of the longest outputs, or of every tenth."""

from __future__ import annotations

import click

from core.cli.call import Call
from core.cli.grammar import RESULTS, beside_printed, command, tabular
from core.errors import UsageError
from core.results.tables.printed import EDITIONS, Edition

NOTHING = "No finished runs with enough responses yet."


@command(RESULTS, "lrm-tui lengths --q 20", order=2)
@tabular
@click.option("--q", type=float, default=30.0, metavar="Q", help="percent at either end (default 30)")
@click.option("--deciles", is_flag=True, help="score by tenth of length instead")
@beside_printed
@click.option("--plot", is_flag=True, help="plot the score by tenth of length in the terminal")
def lengths(call: Call, q: float, deciles: bool, published: bool, edition: Edition | None, plot: bool) -> int:
    """Scores of the shortest and longest outputs."""
    from core.cli.output import name_other_editions, show, tables
    from core.results.show import narrow
    from core.results.show.sheets import lengths_sheet
    from core.results.tables.differences import lengths_with_differences
    from core.results.tables.lengths import lengths_rows
    from core.results.tables.published import other_editions, published_lengths

    if not 0 < q <= 50:
        raise UsageError(f"--q {q} is out of range.", "Give more than 0 and at most 50 percent.")
    if deciles or plot:
        return _show_deciles(call, plot)
    with tables(call) as connection:
        rows = lengths_rows(connection, q)
    if published or edition:
        edition = edition or EDITIONS[0]
        name_other_editions(other_editions(rows, edition, "lengths"), edition)
        rows = [*lengths_with_differences(rows, edition), *published_lengths(q, edition)]
    show(call, rows, rows, lambda: [lengths_sheet(rows)], lambda: [narrow.lengths_sheet(rows)], empty=NOTHING)
    return 0


def _show_deciles(call: Call, plot: bool) -> int:
    from core.cli.output import plotted, show, tables
    from core.results.show import plots
    from core.results.show.sheets import deciles_sheet
    from core.results.tables.lengths import deciles_rows

    with tables(call) as connection:
        rows = deciles_rows(connection)
    drawn = plotted(lambda: plots.tenths(rows)) if plot else None
    show(call, rows, rows, lambda: [deciles_sheet(rows)], drawn=drawn, empty=NOTHING)
    return 0
