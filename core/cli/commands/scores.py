"""scores: the score table of one's own runs, beside the paper's numbers where asked."""

from __future__ import annotations

from core.cli.call import Call
from core.cli.grammar import RESULTS, beside_printed, command, tabular
from core.results.tables.printed import EDITIONS, Edition


@command(RESULTS, "lrm-tui scores --published", order=1)
@tabular
@beside_printed
def scores(call: Call, published: bool, edition: Edition | None) -> int:
    """The score table."""
    from core.cli.output import name_other_editions, show, tables
    from core.results.show import narrow
    from core.results.show.sheets import scores_sheets
    from core.results.show.writers import stacked
    from core.results.tables.differences import with_differences
    from core.results.tables.published import other_editions, published_rows
    from core.results.tables.scores import by_benchmark, scores_rows

    with tables(call) as connection:
        rows = scores_rows(connection)
    if published or edition:
        edition = edition or EDITIONS[0]
        name_other_editions(other_editions(rows, edition), edition)
        rows = [*with_differences(rows, edition), *published_rows(edition)]
    show(
        call,
        rows,
        by_benchmark(rows),
        lambda: scores_sheets(rows),
        lambda: [stacked(narrow.scores_sheets(rows))],
        "No responses yet.",
    )
    return 0
