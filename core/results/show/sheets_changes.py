"""The sheet of cells that a regrade would change."""

from __future__ import annotations

from collections.abc import Sequence

from core.results.show.sheets import Cell, Sheet, number
from core.results.tables.changes import ChangedCell


def changes_sheet(cells: Sequence[ChangedCell]) -> Sheet:
    """A row a figure: where it stands, before, after, and the difference."""
    return Sheet(
        "changes",
        "What a regrade would change",
        "Figures of `lrm-tui scores` and `lrm-tui lengths` (q = 30) as they stand and after `lrm-tui regrade`.",
        ("Row", "Benchmark", "Figure", "Before", "After", "Difference"),
        tuple(_row(cell) for cell in cells),
        texts=3,
    )


def _row(cell: ChangedCell) -> tuple[Cell, ...]:
    before, after = cell["before"], cell["after"]
    difference = None if before is None or after is None else after - before
    where = f"{cell['benchmark'] or 'all'}" + (f" #{cell['run']}" if cell["run"] else "")
    texts = (cell["row"], where, f"{cell['figure']} ({cell['table']})", number(before), number(after), number(difference))
    return tuple(Cell(text) for text in texts)
