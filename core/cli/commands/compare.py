"""compare: two variants on the same questions, or their two responses to one."""

from __future__ import annotations

import click

from core.cli.call import Call
from core.cli.grammar import RESULTS, argument, benchmarks, command, tabular, variant_names

STYLES = {"+": "green", "-": "red", "@": "cyan"}
SIDE = "a variant's name or part of it, or a run's number"


@command(RESULTS, "lrm-tui compare 'pocket none' 'pocket q4_0'", order=8)
@tabular
@argument("one", "ONE", SIDE, values=variant_names)
@argument("other", "OTHER", SIDE, values=variant_names)
@click.option("--benchmark", metavar="BENCHMARK", shell_complete=benchmarks, help="this benchmark only")
@click.option("--question", metavar="KEY", help="show how the two responses to this question differ")
def compare(call: Call, one: str, other: str, benchmark: str | None, question: str | None) -> int:
    """Two variants on the same questions."""
    from core.cli.output import show, tables
    from core.results.show.sheets_findings import compare_sheet
    from core.results.tables.compare import compare as compared
    from core.results.tables.compare import response_diff

    with tables(call) as connection:
        rows = compared(connection, one, other, benchmark)
        lines = [] if question is None else response_diff(connection, one, other, [r["benchmark"] for r in rows], question)
    if question is not None:
        _print_diff(call, question, lines)
        return 0
    show(call, rows, rows, lambda: [compare_sheet(rows)])
    return 0


def _print_diff(call: Call, question: str, lines: list[str]) -> None:
    from rich.text import Text

    from core.cli.output import console, print_json
    from core.text import printable

    if call.json:
        print_json({"question": question, "diff": lines})
        return
    for line in lines:
        console().print(Text(printable(line), style=STYLES.get(line[:1], "")))
