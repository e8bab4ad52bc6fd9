"""findings: the paper's claims, tested on one's own runs."""

from __future__ import annotations

from core.cli.call import Call
from core.cli.grammar import RESULTS, command, tabular


@command(RESULTS, "lrm-tui findings", order=9)
@tabular
def findings(call: Call) -> int:
    """The paper's claims, tested on one's own runs."""
    from core.cli.output import show, tables
    from core.results.show.sheets_findings import findings_sheets
    from core.results.tables.findings import findings as findings_of

    with tables(call) as connection:
        parts = findings_of(connection)
    rows = [{"part": part, **row} for part in ("claims", "ranking") for row in parts[part]]
    show(call, parts, rows, lambda: findings_sheets(parts))
    return 0
