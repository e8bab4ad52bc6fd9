"""Pane 3: scores of every variant on every benchmark."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from rich.text import Text

from tui import keys
from tui.screens.report_pane import Record, ReportPane
from tui.shown import interval, lines, number, right, safe
from tui.widgets.table import Cells, Column

SHORT = {
    "aime": "AIME",
    "folio": "FOLIO",
    "temporal": "Tempor",
    "musique": "MuSiQue",
    "pocket-temporal": "p-temp",
    "pocket-logic": "p-logic",
    "pocket-arithmetic": "p-arith",
    "pocket-facts": "p-facts",
}
"""Heads that fit a column at 80 cells; other benchmarks show their own names."""
WIDE = 120


class ScoresPane(ReportPane):
    """Percent correct, or EM/F1; a star marks a run that is incomplete."""

    BINDINGS = keys.bindings("scores")

    def records(self, connection: sqlite3.Connection) -> Sequence[Record]:
        """The rows of `lrm-tui scores`."""
        from core.analysis.scores import scores_rows

        return scores_rows(connection)

    def title(self, records: Sequence[Record]) -> str:
        """What the numbers are."""
        averaged = {name for record in records for name in record["average_of"] or ()}
        average = f" Average: {', '.join(SHORT[name] for name in SHORT if name in averaged)}." if averaged else ""
        two = " (EM/F1 where two numbers stand)" if any(map(_has_f1, records)) else ""
        starred = " * incomplete." if any(map(_incomplete, records)) else ""
        return f"Percent correct{two}.{starred}{average}"

    def columns(self, records: Sequence[Record]) -> Sequence[Column]:
        """A column for each benchmark that has numbers."""
        names = list(dict.fromkeys(name for record in records for name in record["benchmarks"]))
        ordered = [name for name in SHORT if name in names] + [name for name in names if name not in SHORT]
        wide = self.size.width >= WIDE
        scores = [Column(name, SHORT.get(name, safe(name).plain), 16 if wide else 7, number=True) for name in ordered]
        return (
            Column("variant", "Variant", 20, grow=True),
            Column("bits", "Bits", 4, drop=1, number=True),
            *scores,
            Column("average", "Average", 14 if wide else 7, number=True),
            Column("sparsity", "Sparse", 6, drop=2, number=True),
            Column("origin", "Origin", 9, drop=3),
        )

    def key(self, record: Record) -> str:
        """Variant, engine and origin."""
        return "\0".join(str(record.get(part)) for part in ("variant", "engine", "origin"))

    def cells(self, record: Record) -> Cells:
        """One variant."""
        wide = self.size.width >= WIDE
        shown = {name: right(score(cell, wide)) for name, cell in record["benchmarks"].items()}
        average = number(record["average"])
        if wide and record["average_ci"]:
            average += f" ({interval(record['average_ci'])})"
        sparsity = record["sparsity"]
        return {
            **shown,
            "variant": safe(record["label"]),
            "bits": right(number(record["bits_per_weight"])),
            "sparsity": right("" if not sparsity else number(sparsity, 2)),
            "average": right(average, "bold"),
            "origin": safe(record["origin"]),
        }

    def about(self, record: Record) -> Text:
        """Counts and intervals of one variant."""
        parts = [f"{name}: {score(cell, True)}, {counts(cell)}" for name, cell in record["benchmarks"].items()]
        return lines(f"{record['label']} · " + " · ".join(parts))


def score(cell: Record, with_interval: bool) -> str:
    """A score as it stands in a cell, with a star where the run is incomplete."""
    star = "*" if (cell.get("finished") or 0) < (cell.get("n") or 0) else ""
    if "accuracy" not in cell:
        return f"{number(cell.get('em'), 0)}/{number(cell.get('f1'), 0)}{star}"
    bounds = interval(cell.get("accuracy_ci")) if with_interval else ""
    return number(cell["accuracy"]) + star + (f" ({bounds})" if bounds else "")


def counts(cell: Record) -> str:
    """How many responses stand behind a score."""
    unparsed = f", {cell['unparsed']} unparsed" if cell.get("unparsed") else ""
    return f"{cell.get('finished')} of {cell.get('n')}{unparsed}{_stopped(cell)}"


def _stopped(cell: Record) -> str:
    if not cell.get("stopped"):
        return ""
    bounds = interval(cell["corrected_ci"])
    corrected = f"{number(cell['corrected'])} ({bounds})" if bounds else "unknown, none was audited"
    return f", {cell['stopped']} stopped and wrong (corrected by the audit: {corrected})"


def _has_f1(record: Record) -> bool:
    return any("f1" in cell for cell in record["benchmarks"].values())


def _incomplete(record: Record) -> bool:
    return any("*" in score(cell, False) for cell in record["benchmarks"].values())
