"""scores: the score table of one's own runs, beside the paper's numbers where asked."""

from __future__ import annotations

import click

from core.cli.call import Call
from core.cli.grammar import RESULTS, command, tabular


@command(RESULTS, "lrm-tui scores --published", order=1)
@tabular
@click.option("--published", is_flag=True, help="the paper's and recorded numbers beside, with differences")
def scores(call: Call, published: bool) -> int:
    """The score table."""
    from core.cli.output import show, tables
    from core.results.show import narrow
    from core.results.show.sheets import scores_sheets
    from core.results.show.writers import stacked
    from core.results.tables.published import published_rows, with_differences
    from core.results.tables.scores import by_benchmark, scores_rows

    with tables(call) as connection:
        rows = scores_rows(connection)
    if published:
        rows = [*with_differences(rows), *published_rows()]
    show(
        call,
        rows,
        by_benchmark(rows),
        lambda: scores_sheets(rows),
        lambda: [stacked(narrow.scores_sheets(rows))],
        "No responses yet.",
    )
    return 0
