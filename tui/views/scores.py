"""Scores of every variant on every benchmark, alone or beside what was published."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import ClassVar, TypeVar

from rich.text import Text

from benchmarks.base import Suite
from core.results.rows import SCORE_NAMES, Differences, ScoreCell, ScoreRow
from core.spec import REFERENCES
from core.store.filters import ResponseFilter
from tui.shown import interval, lines, number, right, safe
from tui.views.view import Choices, View, short_names
from tui.widgets.table import Cells, Column

WIDE = 120


class ScoredRow(ScoreRow):
    """A row that knows how many columns the scores of all rows take."""

    scored: int


ScoreRowT = TypeVar("ScoreRowT", bound=ScoreRow)


class VariantsView(View[ScoreRowT]):
    """What views of the scores of variants share."""

    def value(self, record: ScoreRowT, column: str) -> float | str | None:
        """Scores by accuracy or F1."""
        if column in record["benchmarks"]:
            return main_score(record["benchmarks"][column])
        return super().value(record, column)

    def about(self, record: ScoreRowT) -> Text:
        """Counts and intervals of one variant."""
        parts = [f"{name}: {score(cell, True)}, {counts(cell)}" for name, cell in record["benchmarks"].items()]
        return lines(f"{record['label']} · " + " · ".join(parts))

    def follow(self, record: ScoreRowT, column: str) -> ResponseFilter | None:
        """The run behind a score, or every response of the variant."""
        cell = record["benchmarks"].get(column)
        if cell is not None:
            return ResponseFilter(job=cell["run"]) if cell.get("run") is not None else None
        return ResponseFilter(variant=record["variant"]) if record["origin"] not in REFERENCES else None


class ScoresView(VariantsView[ScoredRow]):
    """Percent correct, or EM/F1. A star marks a run that is incomplete, an h a score with verdicts by hand."""

    name = "Table"

    def records(self, connection: sqlite3.Connection, choices: Choices) -> Sequence[ScoredRow]:
        """The rows of `lrm-tui scores`; each knows how many columns the scores of all of them take."""
        from core.results.tables.scores import scores_rows

        rows = scores_rows(connection)
        scored = len({name for row in rows for name in row["benchmarks"]})
        return [{**row, "scored": scored} for row in rows]

    def title(self, records: Sequence[ScoredRow], choices: Choices) -> str:
        """What the numbers are."""
        averaged = {name for record in records for name in record["average_of"] or ()}
        heads = [short for name, short in short_names().items() if name in averaged]
        average = f" Average: {', '.join(heads)}." if averaged else ""
        two = " (EM/F1 where two numbers stand)" if any(map(_has_f1, records)) else ""
        starred = " * incomplete." if any(map(_incomplete, records)) else ""
        by_hand = " h some by hand." if any(map(_by_hand, records)) else ""
        return f"Percent correct{two}.{starred}{by_hand}{average}"

    def columns(self, records: Sequence[ScoredRow], width: int) -> Sequence[Column]:
        """A column for each benchmark that has numbers."""
        names = list(dict.fromkeys(name for record in records for name in record["benchmarks"]))
        heads = short_names()
        ordered = [name for name in heads if name in names] + [name for name in names if name not in heads]
        room = max((self.cell_width(width, record["scored"]) for record in records), default=7)
        scores = [Column(name, heads.get(name, safe(name).plain), room, number=True) for name in ordered]
        return (
            Column("label", "Variant", 20, grow=True, name=True),
            Column("bits_per_weight", "Bits", 4, drop=1, number=True),
            *scores,
            Column("average", "Average", max(7, room), number=True),
            Column("sparsity", "Sparse", 6, drop=2, number=True),
            Column("origin", "Origin", 9, drop=3),
        )

    def cell_width(self, width: int, columns: int) -> int:
        """Intervals are shown where there is room for them."""
        return 15 if width >= WIDE and 16 * (columns + 1) + 42 <= width else 7

    def cells(self, record: ScoredRow, width: int) -> Cells:
        """One variant."""
        wide = self.cell_width(width, record["scored"]) > 7
        shown = {name: right(score(cell, wide)) for name, cell in record["benchmarks"].items()}
        average = number(record["average"])
        if wide and record["average_ci"]:
            average += f" ({interval(record['average_ci'])})"
        sparsity = record["sparsity"]
        return {
            **shown,
            "label": safe(record["label"]),
            "bits_per_weight": right(number(record["bits_per_weight"])),
            "sparsity": right("" if not sparsity else number(sparsity, 0)),
            "average": right(average, "bold"),
            "origin": safe(record["origin"]),
        }


class PublishedView(VariantsView[ScoreRow]):
    """One's own scores with their distance from the paper's, each above the rows that were printed of it."""

    name = "Published"
    uses: tuple[str, ...] = ("edition",)
    suite: ClassVar[Suite] = "paper"

    def records(self, connection: sqlite3.Connection, choices: Choices) -> Sequence[ScoreRow]:
        """Of the rows of `lrm-tui scores --published` those with this view's benchmarks."""
        from benchmarks.registry import of
        from core.results.tables.differences import with_differences
        from core.results.tables.published import published_rows, same_variant
        from core.results.tables.scores import scores_rows

        suite = set(of(self.suite))
        own = [row for row in with_differences(scores_rows(connection), choices.edition) if suite & set(row["benchmarks"])]
        printed = [row for row in published_rows(choices.edition) if suite & set(row["benchmarks"])]
        ordered: list[ScoreRow] = []
        for row in sorted(own, key=lambda row: not any(same_variant(row, other) for other in printed)):
            ordered.append(row)
            ordered += [other for other in printed if same_variant(row, other)]
        return [*ordered, *(other for other in printed if other not in ordered)]

    def title(self, records: Sequence[ScoreRow], choices: Choices) -> str:
        """What the numbers are, and which edition has more of one's own variants."""
        from core.results.tables.published import other_editions

        others = other_editions([r for r in records if r["origin"] not in REFERENCES], choices.edition)
        return f"Own scores, distance from {choices.edition} (~ within noise); dim: printed.{elsewhere(others)}"

    def columns(self, records: Sequence[ScoreRow], width: int) -> Sequence[Column]:
        """This view's benchmarks."""
        room = 14 if width >= WIDE else 12
        from benchmarks.registry import of

        heads = short_names()
        return (
            Column("label", "Variant", 22, grow=True, name=True),
            *(Column(name, heads[name], room, number=True) for name in of(self.suite, "reasoning")),
            *(Column(name, heads[name], room + 6, drop=2, number=True) for name in of(self.suite, "knowledge")),
            Column("average", "Average", 7, drop=1, number=True),
            Column("origin", "Origin", 9, drop=3),
        )

    def cells(self, record: ScoreRow, width: int) -> Cells:
        """One row, printed and recorded ones dim, each under a name that tells it from one's own."""
        style = "dim" if record["origin"] in REFERENCES else ""
        names = {"published": f"T{record.get('table')} {record['variant']}", "recorded": f"study {record['variant']}"}
        return {
            **{name: right(_with_difference(cell), style) for name, cell in record["benchmarks"].items()},
            "label": safe(names.get(record["origin"], record["label"]), style),
            "average": right(number(record["average"]), style or "bold"),
            "origin": safe(record["origin"], style),
        }

    def about(self, record: ScoreRow) -> Text:
        """How sure the distances of one's own are; where a printed row stands, and what is odd about it."""
        if record["origin"] not in REFERENCES:
            gaps = [f"{name} {sure(cell['published'])}" for name, cell in record["benchmarks"].items() if "published" in cell]
            return lines(f"{record['label']} · " + " · ".join(gaps)) if gaps else super().about(record)
        note = f" · {record['note']}" if record.get("note") else ""
        return lines(f"{record['label']} · {record['source']}{note}")


class RecordedView(PublishedView):
    """The same beside the embedded family's recorded study."""

    name = "Recorded"
    uses: tuple[str, ...] = ()
    suite: ClassVar[Suite] = "pocket"

    def title(self, records: Sequence[ScoreRow], choices: Choices) -> str:
        """What the numbers are."""
        return "Own scores, their distance from the recorded (~ within noise); dim: recorded."


def _with_difference(cell: ScoreCell) -> str:
    return f"{score(cell, False)} {distance(cell.get('published') or {})}".rstrip()


def distance(printed: Differences, pair_digits: int = 1) -> str:
    """How far a score is from a printed one, marked where that is within noise; empty where none was printed.

    Two distances (EM/F1) have `pair_digits` behind the point.
    """
    gaps = [printed[name] for name in SCORE_NAMES if name in printed]
    digits = pair_digits if len(gaps) > 1 else 1
    return "/".join(f"{gap['difference']:+.{digits}f}{'~' if gap['within_noise'] else ''}" for gap in gaps)


def sure(printed: Differences) -> str:
    """The distances from printed scores with their 95 % intervals, in words."""
    parts = []
    for name in (one for one in SCORE_NAMES if one in printed):
        gap, called = printed[name], "" if name == "accuracy" else f"{name.upper()} "
        ends = " to ".join(f"{end:+.0f}" for end in gap["difference_ci"] or ())
        parts.append(f"{called}{gap['difference']:+.1f} ({ends})")
    return ", ".join(parts) or "not printed"


def elsewhere(others: Sequence[str]) -> str:
    """Which other editions have variants of one's own that the chosen one lacks."""
    return f" e: {', '.join(others)} has yours." if others else ""


def main_score(cell: ScoreCell) -> float | None:
    """The score that decides: accuracy, else F1."""
    return cell["accuracy"] if "accuracy" in cell else cell.get("f1")


def score(cell: ScoreCell, with_interval: bool) -> str:
    """A score as it stands in a cell, with a star where the run is incomplete and an h where verdicts are by hand."""
    marks = "*" if cell["finished"] is not None and cell["finished"] < cell["n"] else ""
    marks += "h" if cell.get("by_hand") else ""
    if "accuracy" not in cell:
        return f"{number(cell.get('em'), 0)}/{number(cell.get('f1'), 0)}{marks}"
    bounds = interval(cell.get("accuracy_ci")) if with_interval else ""
    return number(cell["accuracy"]) + marks + (f" ({bounds})" if bounds else "")


def counts(cell: ScoreCell) -> str:
    """How many responses stand behind a score."""
    return ", ".join(_counts(cell))


def _counts(cell: ScoreCell) -> Iterator[str]:
    yield f"{cell['n']} questions" if cell["finished"] is None else f"{cell['finished']} of {cell['n']}"
    for count, what in ((cell["unparsed"], "unparsed"), (cell["failed"], "failed"), (cell.get("by_hand"), "by hand")):
        if count:
            yield f"{count} {what}"
    if cell.get("share_cut"):
        bounds = f" ({interval(cell['ended_ci'])})" if cell["ended_ci"] else ""
        ended = f"ended {number(cell['ended_score'])}{bounds}, at most {number(cell['bound'])}"
        yield f"{number(cell['share_cut'], 0)} % cut ({ended})"
    if cell.get("stopped"):
        bounds = interval(cell["corrected_ci"])
        corrected = f"{number(cell['corrected'])} ({bounds})" if bounds else "unknown, none was audited"
        yield f"{cell['stopped']} stopped and wrong (corrected by the audit: {corrected})"


def _has_f1(record: ScoreRow) -> bool:
    return any("f1" in cell for cell in record["benchmarks"].values())


def _incomplete(record: ScoreRow) -> bool:
    return any("*" in score(cell, False) for cell in record["benchmarks"].values())


def _by_hand(record: ScoreRow) -> bool:
    return any(cell.get("by_hand") for cell in record["benchmarks"].values())
