"""Lengths: the shortest and the longest responses scored apart, scores by tenth of length, and repetition collapse."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from rich.text import Text

from core.results.rows import ENDS, CollapseCell, DecileRow, LengthEnd, LengthRow
from core.results.show.plots import Plot, Point, Series
from core.spec import REFERENCES
from core.store.filters import ResponseFilter
from tui.shown import lines, number, right, safe
from tui.views.scores import distance, elsewhere, sure
from tui.views.view import Choices, View, short_names
from tui.widgets.table import Cells, Column

VARIANT = Column("label", "Variant", 19, grow=True, name=True)
BENCHMARK = Column("benchmark", "Benchmark", 17)


class LengthsView(View[LengthRow]):
    """Words (thinking plus answer) and score of the shortest and longest q %."""

    name = "Table"
    uses: tuple[str, ...] = ("share",)

    def records(self, connection: sqlite3.Connection, choices: Choices) -> Sequence[LengthRow]:
        """The rows of `lrm-tui lengths`."""
        from core.results.tables.lengths import lengths_rows

        return lengths_rows(connection, choices.share)

    def title(self, records: Sequence[LengthRow], choices: Choices) -> str:
        """What the numbers are."""
        return f"Shortest and longest {choices.share:g} % (t changes): mean words, and percent correct (EM/F1)."

    def nothing(self, choices: Choices) -> str:
        """Both ends need a response."""
        return f"No run has finished enough responses for {choices.share:g} % at either end.\n\nt takes another share."

    def columns(self, records: Sequence[LengthRow], width: int) -> Sequence[Column]:
        """Both ends."""
        return (
            VARIANT,
            BENCHMARK,
            Column("short_words", "Short w", 7, number=True),
            Column("short_score", "score", 7, number=True),
            Column("long_words", "Long w", 7, number=True),
            Column("long_score", "score", 7, number=True),
            Column("ratio", "Ratio", 6, number=True),
            Column("k", "k", 4, drop=1, number=True),
            Column("censored", "Cens.", 5, drop=2, number=True),
            Column("thinking_words", "Thinking", 8, drop=3, number=True),
            Column("answer_words", "Answer", 7, drop=4, number=True),
        )

    def cells(self, record: LengthRow, width: int) -> Cells:
        """One variant on one benchmark."""
        short, long = record["short"], record["long"]
        return {
            "label": safe(record["label"]),
            "benchmark": safe(record["benchmark"]),
            "k": right(record["k"]),
            "short_words": right(number(short["words"], 0)),
            "short_score": right(_score(short)),
            "long_words": right(number(long["words"], 0)),
            "long_score": right(_score(long)),
            "ratio": right(number(record["ratio"], 2), "bold"),
            "censored": right(record["censored"] or ""),
            "thinking_words": right(number(record["thinking_words"], 0)),
            "answer_words": right(number(record["answer_words"], 0)),
        }

    def value(self, record: LengthRow, column: str) -> float | str | None:
        """Scores by accuracy or F1."""
        end, _, part = column.partition("_")
        ends = {"short": record["short"], "long": record["long"]}
        if end not in ends:
            return super().value(record, column)
        return ends[end]["words"] if part == "words" else ends[end].get("accuracy", ends[end].get("f1"))

    def about(self, record: LengthRow) -> Text:
        """What stands behind one line."""
        censored = f" · {record['censored']} cut off or stopped, ranked at the limit" if record["censored"] else ""
        return lines(
            f"{record['label']} on {record['benchmark']} · {record['k']} of {record['n']} responses at each end · "
            f"ratio {number(record['ratio'], 2)}{censored}"
        )

    def follow(self, record: LengthRow, column: str) -> ResponseFilter | None:
        """The run, from the end that the cursor is on."""
        return ResponseFilter(job=record["run"], order="longest" if column.startswith("long") else "shortest")


class PublishedLengthsView(LengthsView):
    """Both ends of one's own with their distance from the paper's, each line above what was printed or recorded of it."""

    name = "Published"
    uses = ("share", "edition")

    def records(self, connection: sqlite3.Connection, choices: Choices) -> Sequence[LengthRow]:
        """The rows of `lrm-tui lengths --published`."""
        from core.results.tables.differences import lengths_with_differences
        from core.results.tables.lengths import lengths_rows
        from core.results.tables.published import published_lengths, same_variant

        def same(one: LengthRow, other: LengthRow) -> bool:
            return one["benchmark"] == other["benchmark"] and same_variant(one, other)

        printed = published_lengths(choices.share, choices.edition)
        ordered: list[LengthRow] = []
        for row in lengths_with_differences(lengths_rows(connection, choices.share), choices.edition):
            ordered += [row, *(other for other in printed if same(row, other))]
        return [*ordered, *(other for other in printed if other not in ordered)]

    def title(self, records: Sequence[LengthRow], choices: Choices) -> str:
        """What the numbers are, and which edition has more of one's own variants."""
        from core.results.tables.published import other_editions

        own = [record for record in records if record.get("origin") not in REFERENCES]
        others = other_editions(own, choices.edition, "lengths")
        return (
            f"Ends of {choices.share:g} %, distance from {choices.edition} (~ within noise); dim: printed.{elsewhere(others)}"
        )

    def columns(self, records: Sequence[LengthRow], width: int) -> Sequence[Column]:
        """Both ends, without words, which the paper did not print."""
        return (
            VARIANT,
            Column("benchmark", "On", 9),
            Column("short_score", "Shortest", 17, number=True),
            Column("long_score", "Longest", 17, number=True),
            Column("ratio", "Ratio", 6, number=True),
            Column("k", "k", 4, drop=1, number=True),
            Column("origin", "Origin", 9, drop=2),
        )

    def cells(self, record: LengthRow, width: int) -> Cells:
        """One line, dim where it was printed or recorded."""
        origin = record.get("origin", "")
        style = "dim" if origin in REFERENCES else ""
        names = {"published": f"T{record.get('table')} {record['variant']}", "recorded": f"study {record['variant']}"}
        printed = record.get("published")
        gaps = {end: f" {distance(printed[end], 0)}".rstrip() if printed else "" for end in ENDS}
        return {
            "label": safe(names.get(origin, record["label"]), style),
            "benchmark": safe(short_names().get(record["benchmark"], record["benchmark"]), style),
            "k": right(record["k"], style),
            "short_score": right(_score(record["short"]) + gaps["short"], style),
            "long_score": right(_score(record["long"]) + gaps["long"], style),
            "ratio": right(number(record["ratio"], 2 if not style else 1), style or "bold"),
            "origin": safe(origin or "own", style),
        }

    def about(self, record: LengthRow) -> Text:
        """How sure the distances of one's own are; where a printed line stands, and what is odd about it."""
        if record.get("origin") not in REFERENCES:
            printed = record.get("published")
            if printed is None:
                return super().about(record)
            gaps = (f"{name}est {sure(printed[name])}" for name in ENDS)
            return lines(f"{record['label']} on {record['benchmark']} · " + " · ".join(gaps))
        note = f" · {record['note']}" if record.get("note") else ""
        return lines(f"{record['label']} on {record['benchmark']} · {record['source']}{note}")

    def follow(self, record: LengthRow, column: str) -> ResponseFilter | None:
        """The run behind a line of one's own."""
        return None if record["run"] is None else super().follow(record, column)


class DecilesView(View[DecileRow]):
    """Score by tenth of length, with a plot of the row under the cursor."""

    name = "Deciles"
    plotted = True

    def records(self, connection: sqlite3.Connection, choices: Choices) -> Sequence[DecileRow]:
        """The rows of `lrm-tui lengths --deciles`."""
        from core.results.tables.lengths import deciles_rows

        return deciles_rows(connection)

    def title(self, records: Sequence[DecileRow], choices: Choices) -> str:
        """What the numbers are."""
        return "Score (percent correct, or F1) by tenth of length, from the shortest tenth to the longest."

    def columns(self, records: Sequence[DecileRow], width: int) -> Sequence[Column]:
        """Ten scores; the even ones go on narrow screens."""
        tenths = [Column(str(n), str(n), 5, drop=11 - n if n % 2 == 0 and n < 10 else 0, number=True) for n in range(1, 11)]
        return (VARIANT, BENCHMARK, *tenths)

    def cells(self, record: DecileRow, width: int) -> Cells:
        """One variant on one benchmark."""
        scores = {str(n): right(number(tenth["score"], 0)) for n, tenth in enumerate(record["deciles"], 1)}
        return {"label": safe(record["label"]), "benchmark": safe(record["benchmark"]), **scores}

    def value(self, record: DecileRow, column: str) -> float | str | None:
        """Scores as they stand."""
        return record["deciles"][int(column) - 1]["score"] if column.isdecimal() else super().value(record, column)

    def about(self, record: DecileRow) -> Text:
        """The mean words of each tenth."""
        words = ", ".join(number(tenth["words"], 0) for tenth in record["deciles"])
        return lines(f"{record['label']} on {record['benchmark']} · mean words: {words} · {record['n']} responses")

    def follow(self, record: DecileRow, column: str) -> ResponseFilter | None:
        """The run by length, from the nearer end."""
        late = column.isdecimal() and int(column) > 5
        return ResponseFilter(job=record["run"], order="longest" if late else "shortest")

    def plot(self, record: DecileRow, records: Sequence[DecileRow]) -> Plot | None:
        """The row under the cursor, and the other variants on the same benchmark."""
        same = [r for r in records if r["benchmark"] == record["benchmark"]]
        ordered = sorted(same, key=lambda r: r is not record)[:6]
        series = tuple(Series(r["label"], tuple(Point(n, t["score"]) for n, t in enumerate(r["deciles"], 1))) for r in ordered)
        return Plot("deciles", record["benchmark"], f"tenth of length on {record['benchmark']}", series)


class CollapseView(View[CollapseCell]):
    """Repetition collapse: how often, where, and what stopping saved and lost."""

    name = "Collapse"

    def records(self, connection: sqlite3.Connection, choices: Choices) -> Sequence[CollapseCell]:
        """The cells of `lrm-tui collapse`."""
        from core.results.tables.loops import collapse_cells

        return collapse_cells(connection)

    def title(self, records: Sequence[CollapseCell], choices: Choices) -> str:
        """What the numbers are."""
        return "Collapse: medians in words, tokens saved by stopping, answers that it lost."

    def columns(self, records: Sequence[CollapseCell], width: int) -> Sequence[Column]:
        """Counts, places, cost."""
        return (
            VARIANT,
            BENCHMARK,
            Column("collapsed", "Loops", 7, number=True),
            Column("share", "%", 5, number=True),
            Column("onset_words", "Onset", 6, drop=2, number=True),
            Column("period_words", "Period", 6, drop=3, number=True),
            Column("tokens_saved", "Saved", 9, number=True),
            Column("lost", "Lost", 6, drop=1, number=True),
            Column("corrected", "Corr.", 6, drop=4, number=True),
        )

    def cells(self, record: CollapseCell, width: int) -> Cells:
        """One variant on one benchmark."""
        from core.results.show.sheets import words

        return {
            "label": safe(record["label"]),
            "benchmark": safe(record["benchmark"]),
            "collapsed": right(f"{record['collapsed']}/{record['n']}"),
            "share": right(number(record["share"]), "bold red" if record["collapsed"] else ""),
            "onset_words": right(number(record["onset_words"], 0)),
            "period_words": right(words(record["period_words"])),
            "tokens_saved": right(f"{record['tokens_saved']:,}"),
            "lost": right(f"{record['lost']:.0f}/{record['audited']}" if record["audited"] else ""),
            "corrected": right(number(record["corrected"])),
        }

    def about(self, record: CollapseCell) -> Text:
        """What stands behind one line."""
        name = f"{record['label']} on {record['benchmark']} · {record['collapsed']} of {record['n']} collapsed"
        if not record["audited"]:
            return lines(name + (f" · {record['stopped']} stopped, none audited" if record["stopped"] else ""))
        ends = f"{number(record['lost_share_low'], 0)} to {number(record['lost_share_high'], 0)} %"
        corrected = f"{number(record['corrected_low'])} to {number(record['corrected_high'])}"
        return lines(
            f"{name} · {record['stopped']} stopped · of {record['audited']} let run on {record['lost']:.0f} earned credit "
            f"({ends}) · score corrected for that {number(record['corrected'])} ({corrected})"
        )

    def follow(self, record: CollapseCell, column: str) -> ResponseFilter | None:
        """The responses that looped."""
        return ResponseFilter("looped", job=record["run"])


def _score(part: LengthEnd) -> str:
    if "accuracy" in part:
        return number(part["accuracy"])
    return f"{number(part.get('em'), 0)}/{number(part.get('f1'), 0)}"
