"""Pane 4: the shortest and the longest responses, scored apart; and how many collapsed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from rich.text import Text

from tui import keys
from tui.screens import loops
from tui.screens.report_pane import Record, ReportPane
from tui.shown import lines, number, right, safe
from tui.widgets.table import Cells, Column

SHARES = (30.0, 20.0)
COLUMNS = (
    Column("variant", "Variant", 19, grow=True),
    Column("benchmark", "Benchmark", 17),
    Column("short_words", "Short w", 7, number=True),
    Column("short_score", "score", 7, number=True),
    Column("long_words", "Long w", 7, number=True),
    Column("long_score", "score", 7, number=True),
    Column("ratio", "Ratio", 5, number=True),
    Column("k", "k", 4, drop=1, number=True),
    Column("censored", "Cens.", 5, drop=2, number=True),
)


class LengthsPane(ReportPane):
    """Words (thinking plus answer) and score of the shortest and longest q %."""

    BINDINGS = keys.bindings("lengths")
    share = SHARES[0]
    loops = False

    def records(self, connection: sqlite3.Connection) -> Sequence[Record]:
        """The rows of `lrm-tui lengths`, or of `lrm-tui collapse`."""
        from core.analysis.lengths import lengths_rows
        from core.analysis.loops import collapse_cells

        if self.loops:
            return collapse_cells(connection)
        return lengths_rows(connection, self.share)

    def action_share(self) -> None:
        """Switch between the paper's two shares."""
        if not self.loops:
            self.share = SHARES[1] if self.share == SHARES[0] else SHARES[0]
            self.again()

    def action_loops(self) -> None:
        """Switch between lengths and repetition collapse."""
        self.loops = not self.loops
        self.again()

    def title(self, records: Sequence[Record]) -> str:
        """What the numbers are."""
        if self.loops:
            return loops.TITLE
        return f"Shortest and longest {self.share:.0f} % of responses: mean words, and percent correct (EM/F1)."

    def columns(self, records: Sequence[Record]) -> Sequence[Column]:
        """Those of the table that is shown."""
        return loops.COLUMNS if self._shows_loops(records) else COLUMNS

    def _shows_loops(self, records: Sequence[Record]) -> bool:
        return bool(records) and "collapsed" in records[0]

    def key(self, record: Record) -> str:
        """Variant, engine and benchmark."""
        return "\0".join(str(record.get(part)) for part in ("variant", "engine", "benchmark"))

    def cells(self, record: Record) -> Cells:
        """One variant on one benchmark."""
        if self._shows_loops([record]):
            return loops.cells(record)
        short, long = record["short"] or {}, record["long"] or {}
        return {
            "variant": safe(record["label"]),
            "benchmark": safe(record["benchmark"]),
            "k": right(record["k"]),
            "short_words": right(number(short.get("words"), 0)),
            "short_score": right(_score(short)),
            "long_words": right(number(long.get("words"), 0)),
            "long_score": right(_score(long)),
            "ratio": right(number(record["ratio"], 2), "bold"),
            "censored": right(record["censored"] or ""),
        }

    def about(self, record: Record) -> Text:
        """What stands behind one line."""
        if self._shows_loops([record]):
            return loops.about(record)
        censored = f" · {record['censored']} cut off or stopped, ranked at the limit" if record["censored"] else ""
        return lines(
            f"{record['label']} on {record['benchmark']} · {record['k']} responses at each end · "
            f"ratio {number(record['ratio'], 2)}{censored}"
        )


def _score(part: Record) -> str:
    if "accuracy" in part:
        return number(part["accuracy"])
    return f"{number(part.get('em'), 0)}/{number(part.get('f1'), 0)}"
