"""The sheet of recovery and inflation: compressed variants beside their dense model."""

from __future__ import annotations

from collections.abc import Sequence

from core.results.rows import RecoveryCell, ScoreRow
from core.results.show.sheets import UNKNOWN, Cell, Sheet, changes, interval, number


def recovery_sheet(rows: Sequence[ScoreRow]) -> Sheet:
    """What `with_recovery` gives: a line for each compressed variant and benchmark whose dense model was asked alike."""
    cells = [(row["label"], name, cell) for row in rows for name, cell in row["benchmarks"].items() if "dense" in cell]
    body = [
        (
            *(Cell(label), Cell(name, (f"beside {cell['dense']}",)), Cell(str(cell["paired"]))),
            Cell(number(cell["recovery"]), interval(cell["recovery_ci"])),
            Cell(" ".join(interval(cell["recovery_floor"])) or UNKNOWN),
            Cell(number(cell["inflation"], 2), interval(cell["inflation_ci"], 2)),
            Cell(number(cell["inflation_right"], 2), _split(cell["inflation_right_ci"], cell["inflation_right_n"])),
            Cell(number(cell["inflation_wrong"], 2), _split(cell["inflation_wrong_ci"], cell["inflation_wrong_n"])),
            Cell(_cut(cell)),
        )
        for label, name, cell in cells
    ]
    return Sheet(
        "recovery",
        "Recovery and inflation",
        "On the questions that a variant and its dense model share. Recovery: the score over the dense one's in percent; the "
        "floor is where a second dense run would lie by chance. Inflation: how many times the dense model's tokens, question "
        "by question; right, wrong: of questions that both got right, or wrong. Cut: outputs of either that were cut, whose "
        "lengths are lower bounds. Small: the 95 % interval.",
        ("Variant", "Benchmark", "n", "Recovery", "Floor", "Inflation", "right", "wrong", "Cut"),
        tuple(body),
        texts=2,
        breaks=changes(cells, lambda cell: cell[0]),
    )


def _split(ends: Sequence[float] | None, questions: int) -> tuple[str, ...]:
    return (*interval(ends, 2), f"n {questions}")


def _cut(cell: RecoveryCell) -> str:
    return f"{cell['inflation_cut']}, words" if cell["inflation_unit"] == "words" else str(cell["inflation_cut"])
