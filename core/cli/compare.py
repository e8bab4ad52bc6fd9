"""compare: two variants on the same questions, or their two responses to one."""

from __future__ import annotations

from argparse import Namespace

from rich.text import Text

from core.cli.common import console, print_json, tables
from core.cli.output import show
from core.results.show.sheets_findings import compare_sheet
from core.results.tables.compare import compare as compared
from core.results.tables.compare import response_diff
from core.text import printable

STYLES = {"+": "green", "-": "red", "@": "cyan"}


def compare(given: Namespace) -> int:
    """Print scores side by side, which questions flipped, and whether that is chance; with --question the two texts' diff."""
    connection = tables(given)
    rows = compared(connection, given.one, given.other, given.benchmark)
    if given.question is None:
        show(given, rows, rows, lambda: [compare_sheet(rows)])
        return 0
    lines = response_diff(connection, given.one, given.other, given.benchmark or rows[0]["benchmark"], given.question)
    if given.json:
        print_json({"question": given.question, "diff": lines})
    else:
        for line in lines:
            console().print(Text(printable(line), style=STYLES.get(line[:1], "")))
    return 0
