"""scores: the score table of one's own runs, beside the paper's numbers where asked."""

from __future__ import annotations

import click

from core.cli.call import Call
from core.cli.grammar import RESULTS, beside_printed, command, tabular
from core.results.tables.printed import EDITIONS, Edition


@command(RESULTS, "lrm-tui scores --published", order=1)
@tabular
@beside_printed
@click.option("--recovery", is_flag=True, help="score and length of compressed variants over the dense model's")
def scores(call: Call, published: bool, edition: Edition | None, recovery: bool) -> int:
    """The score table."""
    from core.cli.output import name_other_editions, show, tables
    from core.results.show import narrow
    from core.results.show.sheets import scores_sheets
    from core.results.show.sheets_recovery import recovery_sheet
    from core.results.tables.differences import with_differences
    from core.results.tables.published import other_editions, published_rows
    from core.results.tables.recovery import with_recovery
    from core.results.tables.scores import by_benchmark, scores_rows

    with tables(call) as connection:
        rows = scores_rows(connection)
        rows = with_recovery(connection, rows) if recovery else rows
    beside = [recovery_sheet(rows)] if recovery else []
    if published or edition:
        edition = edition or EDITIONS[0]
        name_other_editions(other_editions(rows, edition), edition)
        rows = [*with_differences(rows, edition), *published_rows(edition)]
    show(
        call,
        rows,
        by_benchmark(rows),
        lambda: [*scores_sheets(rows), *beside],
        lambda: [*narrow.scores_sheets(rows), *beside],
        empty="No responses yet.",
    )
    return 0
