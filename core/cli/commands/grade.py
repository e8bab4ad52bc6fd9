"""grade: outputs of a file graded by a benchmark's rules, without a store."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.cli.call import Call
from core.cli.grammar import ELSEWHERE, argument, benchmarks, command, files, printing
from core.errors import UsageError

if TYPE_CHECKING:
    from core.importing.graded_rows import GradedRow, Unread

UNREAD = 1
"""The exit code where some row could not be read."""
DETAILS = (
    "A row: {id, benchmark, output, finish_reason, gold or item}; item is a question's id, or its fields. "
    "Printed is an object a line, {id, parsed, rule, correct (or em, f1), ending}; on a terminal a table. "
    "Exit code 0: every row was graded; 1: some row could not be read; 2: usage."
)


@command(ELSEWHERE, "lrm-tui grade outputs.jsonl --benchmark aime", order=2, details=DETAILS)
@printing
@argument("source", "FILE.jsonl", "rows (.gz too, - for standard input)", values=files)
@click.option("--benchmark", metavar="B", help="of rows that name none", shell_complete=benchmarks)
def grade(call: Call, source: str, benchmark: str | None) -> int:
    """Grade outputs that exist already."""
    from benchmarks.base import DataSource
    from benchmarks.registry import get
    from core.importing.graded_rows import RowGrader
    from core.importing.outputs import open_lines

    if benchmark is not None:
        benchmark = get(benchmark).name
    path = Path(source)
    if source != "-" and not path.is_file():
        raise UsageError(f"{path} is no file.", "Name a file of rows, or - for standard input.")
    grader = RowGrader(DataSource(call.data_folder), benchmark)
    with open_lines(path) as lines:
        rows = grader.every(lines)
        return _print_table(rows) if sys.stdout.isatty() and not call.json else _print_lines(rows)


def _print_lines(rows: Iterator[GradedRow | Unread]) -> int:
    """A line of JSON on each row. Returns the exit code."""
    from core.importing.graded_rows import Unread
    from core.text import json_text

    unread = False
    for row in rows:
        if isinstance(row, Unread):
            unread = True
            _print_unread(row)
        else:
            print(json_text(row), flush=True)
    return UNREAD * unread


def _print_table(rows: Iterator[GradedRow | Unread]) -> int:
    """A table of the rows, and their sum. Returns the exit code."""
    from core.cli.output import print_sheets
    from core.importing.graded_rows import Unread
    from core.results.show.sheets import Cell, Sheet

    cells: list[tuple[Cell, ...]] = []
    worths: list[float] = []
    unread = 0
    for row in rows:
        if isinstance(row, Unread):
            unread += 1
            _print_unread(row)
            continue
        correct = row.get("correct", row.get("em"))
        worths += [] if correct is None else [float(correct)]
        shown = (
            row["id"],
            row["parsed"] or "",
            row["rule"] or "",
            "" if correct is None else f"{float(correct):g}",
            row["ending"],
        )
        cells.append(tuple(Cell(str(cell)) for cell in shown))
    print_sheets([Sheet("grades", "", "", ("Row", "Answer", "Rule", "Worth", "Ending"), tuple(cells), texts=5)])
    known = f"{sum(worths):g} of {len(worths):,} right" if worths else "no right answers known"
    print(f"{len(cells):,} rows graded, {known}; {unread:,} could not be read.")
    return UNREAD * (unread > 0)


def _print_unread(row: Unread) -> None:
    from core.text import printable

    print(printable(f"line {row.line}: {row.reason}"), file=sys.stderr)
