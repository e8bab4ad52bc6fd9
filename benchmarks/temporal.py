"""BIG-Bench Hard, Temporal Sequences: 250 questions with four options each.

Item: input "Today, Susan went to the coffee shop. Between what times could they have gone? ...", gold "A".
"""

from __future__ import annotations

import re
from typing import ClassVar

from benchmarks.base import DataSource, Extraction, Grade, Item, Kind, Metric, Suite
from benchmarks.sources import field, numbered, rows
from benchmarks.statements import Span, candidates

_LETTER = re.compile(r"\(\s*([A-Da-d])\s*\)|(?<![A-Za-z\\'’])([A-D])(?![A-Za-z'’])")
_DENIED = re.compile(
    r"(?:\bnot|n't|\bnever|\brather\s+than|\binstead\s+of|\bexcept)\s*(?:option\s*)?[*_(\s\"]*$", re.IGNORECASE
)
_TEXT = re.compile(r"\\text(?:bf)?\{")
_NONE = re.compile(r"\b(?:none\s+of|no\s+(?:\w+\s+)?(?:option|time|slot|answer)s?)\b", re.IGNORECASE)
_OPENING = re.compile(r"\s*(?P<answer>\(?[A-D]\)[^\n]{0,20000})")
NEAR = 80
"""Characters on either side of a letter that may deny it or make it a word."""
_OPTION = re.compile(r"^\(([A-D])\)\s*(.+?)\s*$", re.MULTILINE)


class Temporal:
    """The letter that is stated, not denied nor merely discussed."""

    name: ClassVar[str] = "temporal"
    title: ClassVar[str] = "Temporal"
    short: ClassVar[str] = "Tempor"
    suite: ClassVar[Suite] = "paper"
    kind: ClassVar[Kind] = "reasoning"
    metric: ClassVar[Metric] = "accuracy"
    chance: ClassVar[float] = 0.25
    prompt_key: ClassVar[str] = "temporal"
    questions: ClassVar[int] = 250

    def load(self, source: DataSource) -> list[Item]:
        """All questions in the order of the file."""
        questions = rows(
            source, "temporal_sequences", ("temporal_sequences.json",), ("SaylorTwift/bbh", "temporal_sequences", "test")
        )
        return [
            Item(
                str(number),
                {"input": str(field(row, "input", where))},
                (str(field(row, "target", where)).strip("() "),),
            )
            for number, (where, row) in enumerate(numbered(questions, "Temporal Sequences"))
        ]

    def extract(self, answer_part: str, item: Item) -> Extraction | None:
        """A letter from the most explicit place; where none names one, the text of exactly one option.

        An explicit place that names several letters, or says that none is right, is no answer. The last place is a first
        line that is an option: models without reasoning answer there and then explain.
        """
        spans = list(candidates(answer_part))
        for span in spans:
            extraction = self._letter(span)
            if extraction:
                return extraction
        if any(span.rule in ("statement", "boxed") and self._undecided(span) for span in spans):
            return None
        for span in spans:
            extraction = self._option(span, item)
            if extraction:
                return extraction
        opening = _OPENING.match(answer_part)
        return self._letter(Span("first line", opening["answer"], opening.start("answer"))) if opening else None

    def _undecided(self, span: Span) -> bool:
        return bool(_NONE.search(span.text)) or len({_name(m) for m in _stated(span.text)}) > 1

    def _letter(self, span: Span) -> Extraction | None:
        text = _TEXT.sub(lambda match: " " * len(match[0]), span.text)
        stated = _stated(text)
        letters = {_name(m) for m in stated}
        if len(letters) != 1:
            return None
        start = stated[0].start(1) if stated[0][1] else stated[0].start(2)
        return Extraction(letters.pop(), span.rule, span.start + start, span.start + start + 1)

    def _option(self, span: Span, item: Item) -> Extraction | None:
        stated = _times(span.text)
        options = {letter: _times(text) for letter, text in _OPTION.findall(item.fields["input"])}
        named = [letter for letter, times in options.items() if times and times in stated]
        if len(named) != 1:
            return None
        return Extraction(named[0], f"{span.rule}, option text", span.start, span.end)

    def grade(self, answer_part: str, item: Item) -> Grade:
        """Correct where the letter is the gold one."""
        extraction = self.extract(answer_part, item)
        return Grade(extraction, correct=extraction is not None and extraction.answer == item.gold[0])


def _name(match: re.Match[str]) -> str:
    """The option that a letter stands for; in brackets small ones count too."""
    return (match[1] or match[2]).upper()


def _stated(text: str) -> list[re.Match[str]]:
    """The letters that a text names and does not deny."""
    return [m for m in _LETTER.finditer(text) if not _denied(text, m) and not _article(text, m)]


def _denied(text: str, match: re.Match[str]) -> bool:
    """Whether the words right in front of a letter deny it; only those are looked at, however long the text is."""
    return bool(_DENIED.search(text[max(0, match.start() - NEAR) : match.start()]))


def _article(text: str, match: re.Match[str]) -> bool:
    """ "A" that begins a sentence is a word, not an option; in "A and B" it is one."""
    return match[2] == "A" and bool(re.match(r"\s+(?!(?:and|or)\b)[a-z]", text[match.end() : match.end() + NEAR]))


def _times(text: str) -> str:
    """One spelling for intervals: "**6 PM** - 9pm" and "6pm and 9pm" become "6pm to 9pm"."""
    plain = re.sub(r"[*_`]", "", text.lower())
    plain = re.sub(r":00|\.(?=m)|(?<=m)\.", "", re.sub(r"(\d)\s+([ap])\.?m", r"\1\2m", plain))
    return re.sub(r"(\d[ap]m)\s*(?:to|and|until|till|-|–|—)\s*(?=\d)", r"\1 to ", plain)
