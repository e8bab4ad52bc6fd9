"""Which cells of the tables would change if the responses of a store were graded again: both tables, before and after."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

from core.grading.regrade import Regraded, regrade
from core.results.rows import ENDS, SCORE_NAMES
from core.results.tables.lengths import lengths_rows
from core.results.tables.scores import scores_rows
from core.store.backup import backup
from core.store.connection import opened

FIGURES = (*SCORE_NAMES, "unparsed", "share_cut", "ended_score", "bound", "lenient", "corrected", "pass_at_k", "majority")
"""The figures of a cell of the scores that a new grade or ending can change."""


class ChangedCell(TypedDict):
    """A figure of a table as it stands and as it would be, percent or a count; None where there is or would be none."""

    table: str
    row: str
    benchmark: str | None
    run: int | None
    figure: str
    before: float | None
    after: float | None


def preview(
    store: Path, runs: Sequence[int] | None, progress: Callable[[Regraded], None]
) -> tuple[list[Regraded], list[ChangedCell]]:
    """What a regrade of these runs (None: of every run) would change, tried on a copy; the store itself is only read.

    Raises UsageError where a run is not in the store, StoreFull where there is no room for the copy.
    """
    with TemporaryDirectory(prefix="lrm-regrade-") as folder:
        copy = backup(store, Path(folder) / store.name)
        with opened(copy, "user") as connection:
            before = _figures(connection)
            regraded = regrade(connection, runs, progress=progress)
            after = _figures(connection)
    names = list(dict.fromkeys([*before, *after]))
    pairs = [(name, before.get(name), after.get(name)) for name in names]
    return regraded, [_cell(name, was, new) for name, was, new in pairs if was != new]


Name = tuple[str, str, str | None, int | None, str]
"""Table, row, benchmark, run and figure."""


def _figures(connection: sqlite3.Connection) -> dict[Name, float | None]:
    """Every figure of the scores and of the lengths (q = 30) that a grade decides."""
    figures: dict[Name, float | None] = {}
    for row in scores_rows(connection):
        for name, cell in row["benchmarks"].items():
            values = {figure: cell.get(figure) for figure in FIGURES}
            figures |= {("scores", row["label"], name, cell["run"], figure): _number(value) for figure, value in values.items()}
        figures["scores", row["label"], None, None, "average"] = _number(row["average"])
    for ends in lengths_rows(connection):
        for end in ENDS:
            for figure in (*SCORE_NAMES, "words"):
                key = "lengths", ends["label"], ends["benchmark"], ends["run"], f"{end} {figure}"
                figures[key] = _number(ends[end].get(figure))
    return figures


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _cell(name: Name, before: float | None, after: float | None) -> ChangedCell:
    table, row, benchmark, run, figure = name
    return {"table": table, "row": row, "benchmark": benchmark, "run": run, "figure": figure, "before": before, "after": after}
