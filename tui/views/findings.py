"""Views that answer questions: two variants compared, which one to take, where pruned families collapse."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TypedDict, final

from rich.text import Text

from core.results.rows import Candidate, CompareRow, PointRow
from core.results.show.plots import Plot, Point, Series
from core.store.filters import ResponseFilter
from tui.shown import UNKNOWN, interval, lines, number, right, safe
from tui.views.view import Choices, View
from tui.widgets.table import Cells, Column


class CompareView(View[CompareRow]):
    """Two variants on the same questions; enter lists the questions that flipped."""

    name = "Compare"
    uses = ("one", "other")

    def records(self, connection: sqlite3.Connection, choices: Choices) -> Sequence[CompareRow]:
        """The rows of `lrm-tui compare`."""
        from core.results.tables.compare import compare

        if not choices.one or not choices.other or choices.one == choices.other:
            return []
        return compare(connection, choices.one, choices.other)

    def title(self, records: Sequence[CompareRow], choices: Choices) -> str:
        """Who is compared."""
        if choices.one and choices.other and choices.one != choices.other:
            return f"A {choices.one}  |  B {choices.other}  ·  ] next B, x swaps, enter lists the flips"
        return f"A {choices.one or UNKNOWN}  |  B {UNKNOWN}"

    def nothing(self, choices: Choices) -> str:
        """How two variants are chosen."""
        if choices.one:
            return (
                f"{choices.one} is A, and nothing is compared with it yet.\n\n] takes the next variant as B; or in the table "
                "(c goes back to it) c compares the variant under the cursor."
            )
        return """No two variants are chosen yet.

In the table (c goes back to it) put the cursor on one variant and press a, then on another and press c.
Both must be your own and have run the same benchmark; 1 goes to the queue, where n queues runs."""

    def columns(self, records: Sequence[CompareRow], width: int) -> Sequence[Column]:
        """Scores, difference, flips."""
        return (
            Column("benchmark", "Benchmark", 12, grow=True),
            Column("n", "n", 4, drop=2, number=True),
            Column("a_score", "A", 6, number=True),
            Column("b_score", "B", 6, number=True),
            Column("difference", "B - A", 6, number=True),
            Column("difference_ci", "95 %", 11, number=True),
            Column("p", "p", 6, drop=1, number=True),
            Column("lost", "Lost", 5, number=True),
            Column("gained", "Gained", 6, number=True),
            Column("both", "Both", 5, drop=3, number=True),
            Column("neither", "Neither", 7, drop=4, number=True),
        )

    def key(self, record: CompareRow) -> str:
        """The benchmark."""
        return str(record["benchmark"])

    def words(self, record: CompareRow) -> str:
        """The benchmark."""
        return str(record["benchmark"])

    def cells(self, record: CompareRow, width: int) -> Cells:
        """One benchmark; a difference beyond noise is coloured."""
        ends = record["difference_ci"]
        sure = ends is not None and (ends[0] > 0 or ends[1] < 0)
        style = ("bold green" if (record["difference"] or 0) > 0 else "bold red") if sure else ""
        return {
            "benchmark": safe(record["benchmark"]),
            "n": right(record["n"]),
            "both": right(record["both"]),
            "neither": right(record["neither"]),
            "a_score": right(number(record["a_score"])),
            "b_score": right(number(record["b_score"])),
            "difference": right("–" if record["difference"] is None else f"{record['difference']:+.1f}", style),
            "difference_ci": right(f"{ends[0]:+.1f} {ends[1]:+.1f}" if ends else UNKNOWN, style),
            "p": right(UNKNOWN if record["p"] is None else f"{record['p']:.3f}"),
            "lost": right(len(record["lost"]), "red" if record["lost"] else ""),
            "gained": right(len(record["gained"]), "green" if record["gained"] else ""),
        }

    def value(self, record: CompareRow, column: str) -> float | str | None:
        """Flips by their number, intervals by their lower end."""
        if column == "difference_ci":
            return record["difference_ci"][0] if record["difference_ci"] else None
        flips = {"lost": record["lost"], "gained": record["gained"]}
        return len(flips[column]) if column in flips else super().value(record, column)

    def about(self, record: CompareRow) -> Text:
        """What stands behind the line."""
        unpaired = f" · {record['unpaired']} answered by one side only" if record["unpaired"] else ""
        metric = "percent correct" if record["metric"] == "accuracy" else "F1"
        chance = "" if record["p"] is None else f" · paired test p {record['p']:.3f}"
        return lines(
            f"{record['benchmark']}: {metric} over {record['n']} questions · B lost {len(record['lost'])} that A had right, "
            f"gained {len(record['gained'])}{chance}{unpaired}"
        )


class Advised(Candidate):
    """A candidate, with the choice among all of them and its reasons."""

    choice: str | None
    reasons: list[str]


@final
class NotAdvised(TypedDict):
    """The only row where there is no candidate: it says why."""

    label: str
    choice: str | None
    reasons: list[str]


Advice = Advised | NotAdvised


class RecommendView(View[Advice]):
    """Which variant for a memory budget; the choice is marked and its reasons stand below."""

    name = "Recommend"
    uses = ("memory", "knowledge")

    def records(self, connection: sqlite3.Connection, choices: Choices) -> Sequence[Advice]:
        """The candidates of `lrm-tui recommend`, each with the choice and its reasons."""
        from core.results.tables.recommend import memory_of, recommend

        advice = recommend(connection, memory_of(choices.memory), choices.knowledge)
        choice, reasons = advice["choice"], advice["reasons"]
        advised: list[Advised] = [{**candidate, "choice": choice, "reasons": reasons} for candidate in advice["front"]]
        return advised or [NotAdvised(label=UNKNOWN, choice=choice, reasons=reasons)]

    def title(self, records: Sequence[Advice], choices: Choices) -> str:
        """The question."""
        knows = "what it knows matters (w changes)" if choices.knowledge else "whatever it knows (w changes)"
        return f"Best average in {choices.memory} (b changes), {knows}."

    def columns(self, records: Sequence[Advice], width: int) -> Sequence[Column]:
        """Sizes and scores."""
        return (
            Column("label", "Variant", 22, grow=True, name=True),
            Column("needs", "Needs", 9, number=True),
            Column("fits", "Fits", 5),
            Column("score", "Average", 7, number=True),
            Column("score_ci", "95 %", 7, number=True),
            Column("knowledge", "F1", 6, drop=2, number=True),
            Column("on_front", "Front", 5, drop=3),
            Column("bytes", "Size", 9, drop=1, number=True),
        )

    def cells(self, record: Advice, width: int) -> Cells:
        """One candidate."""
        from core.results.tables.recommend import gigabytes

        if "score" not in record:
            return {"label": safe(record["label"])}
        chosen = record["label"] == record["choice"]
        style = "bold green" if chosen else "" if record["fits"] else "dim"
        return {
            "label": safe(f"{'> ' if chosen else ''}{record['label']}", style),
            "needs": right(gigabytes(record["needs"]), style),
            "bytes": right(gigabytes(record["bytes"]) + ("~" if record["estimated"] else ""), style),
            "fits": safe("yes" if record["fits"] else "no", style),
            "score": right(number(record["score"]), style),
            "score_ci": right(interval(record["score_ci"]), style),
            "knowledge": right(number(record["knowledge"]), style),
            "on_front": safe("*" if record["on_front"] else "", style),
        }

    def value(self, record: Advice, column: str) -> float | str | None:
        """Intervals by their lower end."""
        value = record.get(column)
        return value[0] if isinstance(value, list) and value else super().value(record, column)

    def about(self, record: Advice) -> Text:
        """The reasons for the choice, whichever row the cursor is on."""
        return lines(" ".join(record["reasons"]))

    def follow(self, record: Advice, column: str) -> ResponseFilter | None:
        """Every response of the variant."""
        return ResponseFilter(variant=record["variant"]) if "variant" in record else None


class CurvesView(View[PointRow]):
    """Where pruned families lose a benchmark, with the curve of the family under the cursor."""

    name = "Curves"
    plotted = True

    def records(self, connection: sqlite3.Connection, choices: Choices) -> Sequence[PointRow]:
        """The points of `lrm-tui collapse`."""
        from core.results.tables.collapse_points import points

        return points(connection)

    def title(self, records: Sequence[PointRow], choices: Choices) -> str:
        """What a collapse point is."""
        return "Collapse points: where less than half of the dense score, above chance, is left."

    def nothing(self, choices: Choices) -> str:
        """What a curve needs."""
        return """No family of pruned variants has finished yet.

A curve needs a model as it is and pruned to one or more sparsities, on the same benchmark: in a shell
`lrm-tui sweep MODEL` queues that, or 1 goes to the queue, where n queues runs."""

    def columns(self, records: Sequence[PointRow], width: int) -> Sequence[Column]:
        """State and interval."""
        return (
            Column("family", "Family", 22, grow=True, name=True),
            Column("benchmark", "Benchmark", 17),
            Column("state", "State", 17),
            Column("low", "From %", 6, number=True),
            Column("high", "To %", 6, number=True),
            Column("agreeing", "Agree", 5, drop=1, number=True),
            Column("origin", "Origin", 9, drop=2),
        )

    def key(self, record: PointRow) -> str:
        """Family and benchmark."""
        return "\0".join(str(record[part]) for part in ("family", "benchmark", "origin"))

    def cells(self, record: PointRow, width: int) -> Cells:
        """One family on one benchmark."""
        style = {"collapsed": "bold red", "intact": "green"}.get(record["state"], "dim")
        return {
            "family": safe(record["family"]),
            "benchmark": safe(record["benchmark"]),
            "state": safe(record["state"], style),
            "low": right(number(record["low"], 0)),
            "high": right(number(record["high"], 0)),
            "agreeing": right(number(record["agreeing"], 0)),
            "origin": safe(record["origin"]),
        }

    def about(self, record: PointRow) -> Text:
        """The curve in numbers."""
        steps = " · ".join(
            f"{step['sparsity']:.0f} %: {step['score']:.1f} ({interval(step['score_ci'])})" for step in record["curve"]
        )
        return lines(f"{record['family']} on {record['benchmark']} · {steps}")

    def follow(self, record: PointRow, column: str) -> ResponseFilter | None:
        """The run at the end of the interval, or the last one of the curve."""
        runs: dict[float | None, int] = {step["sparsity"]: step["run"] for step in record["curve"] if step["run"] is not None}
        run = runs.get(record["low" if column == "low" else "high"]) or next(reversed(runs.values()), None)
        return ResponseFilter(job=run) if run is not None else None

    def plot(self, record: PointRow, records: Sequence[PointRow]) -> Plot | None:
        """The family's curves on every benchmark, the one under the cursor first."""
        family = [r for r in records if (r["family"], r["origin"]) == (record["family"], record["origin"])]
        ordered = sorted(family, key=lambda r: r["benchmark"] != record["benchmark"])
        series = tuple(Series(r["benchmark"], _points(r)) for r in ordered)
        return Plot("curves", record["family"], f"sparsity in percent, {record['family']}", series)


def _points(record: PointRow) -> tuple[Point, ...]:
    return tuple(Point(step["sparsity"], step["score"]) for step in record["curve"])
