"""BIG-Bench Hard, Temporal Sequences: 250 questions with four options each.

Item: input "Today, Susan went to the coffee shop. Between what times could they have gone? ...", gold "A".
"""

from __future__ import annotations

import re
from typing import ClassVar

from benchmarks.base import DataSource, Extraction, Grade, Item, Kind, Metric, Suite
from benchmarks.choices import Choice, Option, Options, by_verdicts, chosen, is_option
from benchmarks.clock import intervals
from benchmarks.sources import field, numbered, rows
from benchmarks.statements import WINDOW, Span, candidates, corrected, first_line, plain

_OPTION = re.compile(r"^\s*\(?([A-Z])[).:]\s*(.+?)\s*$", re.MULTILINE)
_LISTED = re.compile(r"(?:^[-*•|>#\s]{0,9}(?:Option\s+)?[*_(]{0,3}[A-D]\b[^\n]{0,300}(?:\n\s{0,99}|\Z)){3,6}\Z", re.MULTILINE)
LONGEST = 1_500
"""Characters of a place that are read for letters and times."""


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

    def extract(self, answer_part: str, item: Item, cut: bool = False) -> Extraction | None:
        """The option that the most explicit place names by letter or text; an answer that names several, or none, has none.

        Before bold text and the last line comes a first line that is an option: models without reasoning answer there and
        then explain. At last a verdict on every option counts, and three that are ruled out.
        """
        options = _options(item)
        spans = list(candidates(answer_part, cut))
        for span in spans:
            if span.rule not in ("statement", "boxed"):
                break
            for text in corrected(span.text[:LONGEST]):
                choice = chosen(text, options, explicit=True)
                if choice is not None:
                    return _extraction(choice, span, text)
        if cut:
            return None
        opening = first_line(plain(answer_part))
        if opening and is_option(opening.text, options):
            return _extraction(chosen(opening.text, options, explicit=True), opening, opening.text)
        listed = self._listed(answer_part, options)
        if listed:
            return listed
        for span in spans:
            text = span.text[:LONGEST] + _rest_of_line(answer_part, span)
            choice = chosen(text, options, explicit=span.rule != "last line")
            if choice is not None:
                return _extraction(choice, span, text)
        return self._ruled(answer_part, options)

    def _listed(self, answer_part: str, options: Options) -> Extraction | None:
        """The option that a closing list calls possible, one line an option."""
        tail = plain(answer_part[-WINDOW:]).rstrip()
        lines = _LISTED.search(tail)
        choice = by_verdicts(lines[0], options, one_good=True) if lines else None
        return (
            Extraction(
                choice.letter, "verdicts", len(answer_part[:-WINDOW]) + lines.start(), len(answer_part[:-WINDOW]) + lines.end()
            )
            if choice and lines
            else None
        )

    def _ruled(self, answer_part: str, options: Options) -> Extraction | None:
        """The one option that a list of verdicts calls possible, or that is left when all others are ruled out."""
        tail = plain(answer_part[-WINDOW:])
        choice = by_verdicts(tail, options)
        return Extraction(choice.letter, "verdicts", len(answer_part) - len(tail), len(answer_part)) if choice else None

    def grade(self, answer_part: str, item: Item, cut: bool = False) -> Grade:
        """Correct where the letter is the gold one."""
        extraction = self.extract(answer_part, item, cut)
        return Grade(extraction, correct=extraction is not None and extraction.answer == item.gold[0])


def _options(item: Item) -> Options:
    """The letters of a question with their times."""
    listed = _OPTION.findall(item.fields.get("input", ""))
    return {letter: Option(text, next(iter(intervals(text)), None)) for letter, text in listed}


def _rest_of_line(answer: str, span: Span) -> str:
    """What follows bold text in its line: "**A** is wrong"."""
    return answer[span.end : span.end + 200].split("\n", 1)[0] if span.rule == "bold" else ""


def _extraction(choice: Choice | None, span: Span, text: str) -> Extraction | None:
    """A choice with its place; None where a place decides that there is no answer."""
    if choice is None or not choice.letter:
        return None
    offset = max(0, len(span.text[:LONGEST]) - len(text)) if span.rule != "bold" else 0
    start, end = (min(len(span.text), offset + place) for place in (choice.start, choice.end))
    rule = span.rule if choice.by == "letter" else f"{span.rule}, {choice.by}"
    return Extraction(choice.letter, rule, span.start + start, span.start + end)
