"""AIME 2024: thirty competition problems whose answers are integers from 0 to 999.

Item: problem "Every morning Aya goes for a 9-kilometer-long walk ...", gold "204".
"""

from __future__ import annotations

import re
import unicodedata
from typing import ClassVar

from benchmarks.base import DataSource, Extraction, Grade, Item, Kind, Metric, Suite
from benchmarks.sources import field, numbered, rows
from benchmarks.statements import Span, candidates

_INTEGER = re.compile(r"(?<![\d.,^_−-])(?<!\^\{)(?<!_\{)(?:\\?\$)?(\d{1,3}(?:,\d{3}){1,9}|\d+)(?:\.0+)?(?![\d]|[.,]\d)")
_NO_INTEGER = re.compile(r"\\[dt]?frac\s*\{[^{}]*\}\s*\{[^{}]*\}|mod(?:ulo)?[\s{]{0,9}\d+")
"""Fractions, and what a remainder is taken by: `33 \\pmod{1000}` is 33."""


class Aime:
    """Exact integers; leading zeros do not count, fractions, exponents and negative numbers are none."""

    name: ClassVar[str] = "aime"
    title: ClassVar[str] = "AIME 2024"
    short: ClassVar[str] = "AIME"
    suite: ClassVar[Suite] = "paper"
    kind: ClassVar[Kind] = "reasoning"
    metric: ClassVar[Metric] = "accuracy"
    chance: ClassVar[float] = 0.0
    prompt_key: ClassVar[str] = "aime"
    questions: ClassVar[int] = 30

    def load(self, source: DataSource) -> list[Item]:
        """All problems in the order of the file."""
        files = ("aime2024.jsonl", "aime_2024_problems.parquet", "aime2024_zldscr0.jsonl")
        questions = rows(source, "aime2024", files, ("Maxwell-Jia/AIME_2024", None, "train"))
        return [
            Item(
                str(field(row, "ID", where)),
                {"problem": str(field(row, "Problem", where))},
                (str(int(field(row, "Answer", where))),),
            )
            for where, row in numbered(questions, "AIME 2024")
        ]

    def extract(self, answer_part: str, item: Item) -> Extraction | None:
        """The integer that is stated, boxed, bold, or last in the last line."""
        spans = list(candidates(answer_part))
        boxed_first = sorted(spans, key=lambda s: s.rule != "boxed")
        for span in boxed_first:
            extraction = self._integer(span)
            if extraction:
                return extraction
        return None

    def _integer(self, span: Span) -> Extraction | None:
        whole = _NO_INTEGER.sub(lambda match: " " * len(match[0]), span.text)
        matches = list(_INTEGER.finditer(whole))
        if not matches:
            return None
        match = matches[-1]
        digits = "".join(str(unicodedata.digit(character)) for character in match[1] if character != ",")
        answer = digits.lstrip("0") or "0"
        return Extraction(answer, span.rule, span.start + match.start(1), span.start + match.end(1))

    def grade(self, answer_part: str, item: Item) -> Grade:
        """Correct where the integer is the gold one, which lies between 0 and 999."""
        extraction = self.extract(answer_part, item)
        return Grade(extraction, correct=extraction is not None and extraction.answer == item.gold[0])
