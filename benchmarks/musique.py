"""MuSiQue, closed book: multi-hop questions asked without their paragraphs; graded by EM and F1.

Item: question "What company is the record label of Magic Christian Music part of?", gold "Apple Corps" and its aliases.
"""

from __future__ import annotations

import random
import re
from typing import ClassVar

from benchmarks.base import DataSource, Extraction, Grade, Item, Kind, Metric, Suite
from benchmarks.metrics import exact_match, f1
from benchmarks.sources import Row, field, numbered, rows
from benchmarks.statements import Span, candidates

SAMPLE = 100
_EDGES = "*_`\"'“”‘’ \t"
_VERB = r"\b(?:is|are|was|were)\s+"
_PLACED = r"(?:\w+(?:ed|en|lt|ld|de)\s+(?:in|at|by|as|on|to|from|with)\s+)?"
_HEDGE = r"(?:(?:likely|probably|approximately|about|around|most\s+likely)\s+)?"
_REST = r"(?:the\s+)?(?P<answer>(?:[^.,;\n]|(?<=\d)[.,](?=\d))+)"
_COPULAS = (
    re.compile(rf"{_VERB}{_HEDGE}{_PLACED}{_HEDGE}{_REST}", re.IGNORECASE),
    re.compile(rf"\b(?:in|by|be)\s+{_REST}", re.IGNORECASE),
)
"""A sentence gives its answer behind its verb ("was founded in", "is likely"), else behind a preposition."""
_LATEX = re.compile(r"\\(?:text|textbf|mathrm|mbox)\{([^{}]*)\}")
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_CLOSING = {opening: closing for closing, opening in _BRACKETS.items()}


class Musique:
    """The short span, with the measures over the whole answer part beside it."""

    name: ClassVar[str] = "musique"
    title: ClassVar[str] = "MuSiQue (EM / F1)"
    short: ClassVar[str] = "MuSiQue"
    suite: ClassVar[Suite] = "paper"
    kind: ClassVar[Kind] = "knowledge"
    metric: ClassVar[Metric] = "em_f1"
    chance: ClassVar[float] = 0.0
    prompt_key: ClassVar[str] = "musique"
    questions: ClassVar[int] = 100

    def load(self, source: DataSource) -> list[Item]:
        """The 100 questions of a prepared file in its order, or a seeded sample of 100 from a larger pool."""
        files = ("random_100_musique.json", "musique.json", "musique.jsonl", "questions_1000_SeRAG.json")
        questions = rows(source, "musique", files, ("dgslibisey/MuSiQue", None, "validation"))
        if len(questions) > SAMPLE:
            chosen = sorted(random.Random(source.seed).sample(range(len(questions)), SAMPLE))
            questions = [questions[i] for i in chosen]
        return [_item(row, where) for where, row in numbered(questions, "MuSiQue")]

    def extract(self, answer_part: str, item: Item) -> Extraction | None:
        """The stated answer, a box, bold text, or the last line; of a sentence, what follows its verb."""
        for span in candidates(answer_part):
            extraction = _short(span)
            if extraction:
                return extraction
        return None

    def grade(self, answer_part: str, item: Item) -> Grade:
        """EM and F1 of the extracted span; `strict_*` of the whole answer part."""
        extraction = self.extract(answer_part, item)
        answer = extraction.answer if extraction else ""
        return Grade(
            extraction,
            em=exact_match(answer, item.gold),
            f1=f1(answer, item.gold),
            strict_em=exact_match(answer_part, item.gold),
            strict_f1=f1(answer_part, item.gold),
        )


def _item(row: Row, where: str) -> Item:
    aliases = [str(a) for a in row.get("answer_aliases") or []]
    gold = tuple(dict.fromkeys([str(field(row, "answer", where)), *aliases]))
    return Item(str(field(row, "id", where)), {"question": str(field(row, "question", where))}, gold)


def _short(span: Span) -> Extraction | None:
    text, start = span.text, span.start
    if span.rule == "statement" and "**" in text.strip("* "):
        bold = re.search(r"\*\*([^*]+)\*\*", text)
        if bold:
            text, start = bold[1], start + bold.start(1)
    latex = _LATEX.search(text)
    if latex and span.rule == "boxed":
        text, start = latex[1], start + latex.start(1)
    if span.rule == "last line" and len(text.split()) > 6:
        after = next((match for copula in _COPULAS for match in copula.finditer(text)), None)
        if after:
            text, start = after["answer"], start + after.start("answer")
    begin, end = _trimmed(text)
    core = text[begin:end]
    if not re.search(r"\w", core) or re.fullmatch(r"(?:final\s+)?answer:?", core, re.IGNORECASE):
        return None
    return Extraction(core, span.rule, start + begin, start + end)


def _trimmed(text: str) -> tuple[int, int]:
    """The ends of a text without marks, closing punctuation and brackets whose other half is missing or around it all."""
    begin, end = 0, len(text)

    def alone(bracket: str, other: str) -> bool:
        return text.count(bracket, begin, end) > text.count(other, begin, end)

    while begin < end:
        first, last, inner = text[begin], text[end - 1], text[begin + 1 : end - 1]
        around = last in _BRACKETS and first == _BRACKETS[last] and first not in inner and last not in inner
        if around or first in _EDGES or (first in _CLOSING and alone(first, _CLOSING[first])):
            begin, end = begin + 1, end - around
        elif last in _EDGES + ".,;:!" or (last in _BRACKETS and alone(last, _BRACKETS[last])):
            end -= 1
        else:
            break
    return begin, end
