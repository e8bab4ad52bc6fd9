"""FOLIO v2: does a conclusion follow from premises? True, False or Uncertain; 203 questions.

Item: premises "All people who regularly drink coffee are dependent on caffeine. ...", conclusion "Rina ...", gold "Uncertain".
"""

from __future__ import annotations

import re
from typing import ClassVar

from benchmarks.base import DataSource, Extraction, Grade, Item, Kind, Metric, Suite
from benchmarks.metrics import normalise
from benchmarks.sources import field, numbered, rows
from benchmarks.statements import WINDOW, Span, candidates

_WORDS = (
    r"neither\s+true\s+nor\s+false|not\s+(?:necessarily\s+)?(?:certain|known|clear|determinable|determined)|can\s?not\s+(?:\w+\s+)?be\s+(?:\w+\s+)?(?:determined|concluded|"
    r"inferred|confirmed|verified|established)|can['’]t\s+be\s+determined|undetermined|indeterminate|inconclusive|"
    r"impossible\s+to\s+(?:say|tell|know|determine|conclude)|uncertain|unknown|not\s+(?:necessarily\s+)?true|not\s+false|incorrect|correct|true|false"
)
_VERDICT = re.compile(rf"(?<![A-Za-z])({_WORDS})(?![A-Za-z])", re.IGNORECASE)
_CONCLUSION = re.compile(
    rf"conclusion\b[^.\n]{{0,300}}?\b(?:is|as|be|remains|considered)\s+[*_\"“(\s\\a-z{{]{{0,80}}?(?:logically\s+|definitively\s+|therefore\s+|also\s+)*({_WORDS})(?![A-Za-z])",
    re.IGNORECASE,
)

_HEAD = re.compile(r"^[\s*_#]*(?:conclusion|answer)[\s*_]*:[\s*_]*", re.IGNORECASE)
_JUDGED = re.compile(
    r"\bconclusion\b[^.\n]{0,200}?\bis\s+(?:therefore\s+|logically\s+|also\s+)*(supported|valid|invalid)\b", re.IGNORECASE
)


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
            items.append(Item(str(row.get("example_id", number)), fields, (verdict(str(field(row, "label", where))),)))
        return items

    def extract(self, answer_part: str, item: Item) -> Extraction | None:
        """A verdict from an explicit statement, else the last one on the conclusion, else from bold text or the last line.

        Without any, an answer that says the conclusion again affirms it, and a conclusion may be called supported or invalid.
        """
        spans = list(candidates(answer_part))
        explicit = [s for s in spans if s.rule in ("statement", "boxed")]
        for span in explicit:
            extraction = self._only(span)
            if extraction:
                return extraction
        on_conclusion = list(_CONCLUSION.finditer(answer_part, max(0, len(answer_part) - WINDOW)))
        if on_conclusion:
            match = on_conclusion[-1]
            return Extraction(verdict(match[1]), "conclusion", match.start(1), match.end(1))
        for span in spans:
            extraction = self._only(span)
            if extraction:
                return extraction
        return self._restated(spans, item) or self._judged(answer_part)

    def _restated(self, spans: list[Span], item: Item) -> Extraction | None:
        conclusion = normalise(item.fields.get("conclusion", ""))
        for span in spans:
            if conclusion and normalise(_HEAD.sub("", span.text)) == conclusion:
                return Extraction("True", "restated", span.start, span.end)
        return None

    def _judged(self, answer_part: str) -> Extraction | None:
        matches = list(_JUDGED.finditer(answer_part, max(0, len(answer_part) - WINDOW)))
        if not matches:
            return None
        match = matches[-1]
        answer = "False" if match[1].lower() == "invalid" else "True"
        return Extraction(answer, "judged", match.start(1), match.end(1))

    def _only(self, span: Span) -> Extraction | None:
        matches = list(_VERDICT.finditer(span.text))
        if len({verdict(m[1]) for m in matches}) != 1:
            return None
        match = matches[0]
        return Extraction(verdict(match[1]), span.rule, span.start + match.start(1), span.start + match.end(1))

    def grade(self, answer_part: str, item: Item) -> Grade:
        """Correct where the verdict is the gold one."""
        extraction = self.extract(answer_part, item)
        return Grade(extraction, correct=extraction is not None and extraction.answer == item.gold[0])


def verdict(text: str) -> str:
    """True, False or Uncertain for any way of saying it."""
    word = " ".join(text.lower().split())
    if word in ("true", "correct", "not false"):
        return "True"
    if word in ("false", "incorrect", "not true"):
        return "False"
    return "Uncertain"
