"""Capitals: eight questions with one word as answer, an example of a benchmark of one's own.

Item: country "France", gold "Paris". See docs/guides/write-a-benchmark.md.
"""

from __future__ import annotations

from typing import ClassVar

from benchmarks.base import DataSource, Extraction, Grade, Item, Kind, Metric, Suite
from benchmarks.metrics import normalise
from benchmarks.sources import field, numbered, rows
from benchmarks.statements import candidates


class Capitals:
    """The first gold name that stands in the most explicit place of the answer."""

    name: ClassVar[str] = "capitals"
    title: ClassVar[str] = "Capitals"
    short: ClassVar[str] = "Capital"
    suite: ClassVar[Suite] = "own"
    kind: ClassVar[Kind] = "knowledge"
    metric: ClassVar[Metric] = "accuracy"
    chance: ClassVar[float] = 0.0
    prompt_key: ClassVar[str] = "capitals"
    questions: ClassVar[int] = 8

    def load(self, source: DataSource) -> list[Item]:
        """All questions, from capitals.jsonl in the data folder."""
        questions = rows(source, "capitals", ("capitals.jsonl",), ("json", None, "train"))
        return [
            Item(
                str(field(row, "country", where)),
                {"country": str(field(row, "country", where))},
                (str(field(row, "capital", where)),),
            )
            for where, row in numbered(questions, "Capitals")
        ]

    def extract(self, answer_part: str, item: Item, cut: bool = False) -> Extraction | None:
        """What the most explicit place says."""
        for span in candidates(answer_part, cut):
            return Extraction(span.text, span.rule, span.start, span.end)
        return None

    def grade(self, answer_part: str, item: Item, cut: bool = False) -> Grade:
        """Correct where that place names the capital."""
        extraction = self.extract(answer_part, item, cut)
        words = normalise(extraction.answer).split() if extraction else []
        return Grade(extraction, correct=set(normalise(item.gold[0]).split()) <= set(words))
