"""FOLIO v2: does a conclusion follow from premises? True, False or Uncertain; 203 questions.

Item: premises "All people who regularly drink coffee are dependent on caffeine. ...", conclusion "Rina ...", gold "Uncertain".
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar

from benchmarks.base import DataSource, Extraction, Grade, Item, Kind, Metric, Suite
from benchmarks.metrics import normalise
from benchmarks.sentences import first_sentence, sentence_ends
from benchmarks.sources import field, numbered, rows
from benchmarks.statements import WINDOW, Span, candidates, corrected, first_line, plain
from benchmarks.verdicts import Verdict, verdict

_SUBJECT = re.compile(
    r"\b(?:conclusion|statement|claim|hypothesis|proposition|assertion|argument|implication)\b|\b(?:we|one|i)\s+(?:can\s?not|can['’]t|do\s?n|are\s+unable)|\b(?:is|are)\s?n[o'’]t\s+enough|\binsufficient\b|\bnot\s+enough\b|"
    r"结论|結論|결론|вывод|утверждение|schlussfolgerung|aussage|conclusión|conclusione|affirmation",
    re.IGNORECASE,
)
_HEAD = re.compile(r"^[\s*_#]*(?:conclusion|answer)[\s*_]*:[\s*_]*", re.IGNORECASE)
_JUDGED = re.compile(
    r"\b(?:conclusion|statement|claim|it)\b[^.\n]{0,200}?\b(?:(?P<no>(?:is\s+(?:therefore\s+|logically\s+|also\s+)*(?:invalid|contradicted|refuted|disproved|disproven)|"
    r"(?:contradicts|does\s+not\s+hold|does\s?n['’]t\s+hold)))|(?P<yes>is\s+(?:therefore\s+|logically\s+|also\s+|fully\s+|directly\s+)*(?:supported|valid|entailed|proved|proven|confirmed)|(?:logically\s+|necessarily\s+|directly\s+)*(?:follows|holds)))\b",
    re.IGNORECASE,
)
_ASKS = re.compile(r"\?[\s*_\"”')]*$")
_SHORT = {"t": "True", "f": "False", "u": "Uncertain", "yes": "True"}
LONGEST = 1_500
"""Characters of a place that are read."""


class Folio:
    """The verdict on the conclusion, not the truth value of a premise."""

    name: ClassVar[str] = "folio"
    title: ClassVar[str] = "FOLIO"
    short: ClassVar[str] = "FOLIO"
    suite: ClassVar[Suite] = "paper"
    kind: ClassVar[Kind] = "reasoning"
    metric: ClassVar[Metric] = "accuracy"
    chance: ClassVar[float] = 1 / 3
    prompt_key: ClassVar[str] = "folio"
    questions: ClassVar[int] = 203

    def load(self, source: DataSource) -> list[Item]:
        """All questions of the validation split in the order of the file."""
        files = ("folio_v2_validation.jsonl", "folio-validation.jsonl", "folio-validation_v0.0.jsonl")
        questions = rows(source, "folio", files, ("yale-nlp/FOLIO", None, "validation"))
        items = []
        for number, (where, row) in enumerate(numbered(questions, "FOLIO")):
            premises = field(row, "premises", where)
            fields = {
                "premises": "\n".join(premises) if isinstance(premises, list) else str(premises),
                "conclusion": str(field(row, "conclusion", where)),
            }
            items.append(Item(str(row.get("example_id", number)), fields, (label(str(field(row, "label", where))),)))
        return items

    def extract(self, answer_part: str, item: Item, cut: bool = False) -> Extraction | None:
        """A verdict from a statement or box, a first line, the last one on the conclusion, bold text or the last line.

        Without any, an answer that says the conclusion again affirms it, and a conclusion may be called supported or invalid.
        """
        conclusion = item.fields.get("conclusion", "")
        spans = list(candidates(answer_part, cut))
        for span in spans:
            if span.rule in ("statement", "boxed") and (extraction := _stated(span, conclusion)):
                return extraction
        if cut:
            return None
        opening = first_line(plain(answer_part))
        if opening and (extraction := _only(opening, conclusion)):
            return extraction
        return (
            _on_conclusion(answer_part, conclusion)
            or next((extraction for span in spans if (extraction := _stated(span, conclusion))), None)
            or _restated(spans, conclusion)
            or _judged(answer_part)
        )

    def grade(self, answer_part: str, item: Item, cut: bool = False) -> Grade:
        """Correct where the verdict is the gold one."""
        extraction = self.extract(answer_part, item, cut)
        return Grade(extraction, correct=extraction is not None and extraction.answer == item.gold[0])


def _stated(span: Span, conclusion: str) -> Extraction | None:
    """The verdict of a statement, box, bold text or line: behind a correction, else in its first sentence that has one."""
    text = span.text[:LONGEST]
    short = _SHORT.get(text.strip(" .*_`(){}$").lower())
    if short:
        return Extraction(short, span.rule, span.start, span.end)
    for part in corrected(text):
        offset, ends = len(text) - len(part), sentence_ends(part)
        for start, end in zip([0, *ends], [*ends, len(part)], strict=True):
            found = verdict(part[start:end], conclusion)
            if found and not _ASKS.search(part[start:end]):
                at = span.start + offset + start
                return Extraction(found.answer, span.rule, at + found.start, at + found.end)
    return None


def _only(span: Span, conclusion: str) -> Extraction | None:
    """The verdict of a line whose first sentence is nothing else: models without reasoning begin with it and then explain."""
    sentence = first_sentence(span.text)
    words = re.sub(r"[*_#`\"'().:!]|\b(?:the|answer|conclusion|is|it)\b", " ", sentence, flags=re.IGNORECASE).split()
    alone = 0 < len(words) <= 2 and not _ASKS.search(sentence)
    return _stated(Span(span.rule, sentence, span.start), conclusion) if alone else None


def _of_subject(sentence: str, subject: int, conclusion: str) -> Verdict | None:
    """The first verdict behind a sentence's subject, else the last one of the sentence."""
    found = verdict(sentence[subject:], conclusion)
    if found:
        return replace(found, start=subject + found.start, end=subject + found.end)
    return verdict(sentence, conclusion, last=True)


def _on_conclusion(answer: str, conclusion: str) -> Extraction | None:
    """The verdict of the last sentence on the conclusion that gives one."""
    base = max(0, len(answer) - WINDOW)
    text = plain(answer[base:])
    at = len(text)
    for line in reversed(text.split("\n")):
        at -= len(line)
        ends = sentence_ends(line[-LONGEST:])
        shift = max(0, len(line) - LONGEST)
        for start, end in reversed(list(zip([0, *ends], [*ends, min(len(line), LONGEST)], strict=True))):
            sentence = line[shift + start : shift + end]
            subject = _SUBJECT.search(sentence)
            found = _of_subject(sentence, subject.start(), conclusion) if subject else None
            if found and (found.said or found.start > (subject.end() if subject else 0)):
                place = base + at + shift + start
                return Extraction(found.answer, "conclusion", place + found.start, place + found.end)
        at -= 1
    return None


def _restated(spans: list[Span], conclusion: str) -> Extraction | None:
    """An answer that says the conclusion again."""
    wanted = normalise(conclusion)
    for span in spans:
        if wanted and normalise(_HEAD.sub("", span.text)) == wanted:
            return Extraction("True", "restated", span.start, span.end)
    return None


def _judged(answer: str) -> Extraction | None:
    """A conclusion that is called supported, or contradicted."""
    matches = list(_JUDGED.finditer(answer, max(0, len(answer) - WINDOW)))
    if not matches:
        return None
    match = matches[-1]
    return Extraction("False" if match["no"] else "True", "judged", match.start(), match.end())


def label(text: str) -> str:
    """True, False or Uncertain for a data set's label; older files say Unknown."""
    word = text.strip().lower()
    return word.capitalize() if word in ("true", "false") else "Uncertain"
