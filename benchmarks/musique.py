"""MuSiQue, closed book: multi-hop questions asked without their paragraphs; graded by EM and F1.

Item: question "What company is the record label of Magic Christian Music part of?", gold "Apple Corps" and its aliases.
"""

from __future__ import annotations

import random
import re
from typing import ClassVar

from benchmarks.base import DataSource, Extraction, Grade, Item, Kind, Metric, Suite
from benchmarks.metrics import exact_match, f1
from benchmarks.sentences import first_sentence, last_sentence, refuses
from benchmarks.short_answers import asked, cleaned, from_sentence, is_typed, is_typed_value, remark_start
from benchmarks.sources import Row, field, numbered, rows
from benchmarks.statements import Span, candidates, corrected, first_line, plain

SAMPLE = 100
_EDGES = "*_`\"'“”‘’ \t"
_BOLD = re.compile(r"\*\*([^*\n]+)\*\*(:?)")
_HEADING = re.compile(
    r"(?:step|part|explanation|reasoning|conclusion|(?:final\s+)?answer|summary|note|analysis|question|background|context|details?|key\s+\w+|solution|result|first|second|third|next|finally)\b[\s\d:.)]*",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"(?:[-*•>#\s]|\d{1,2}[.)]\s)*(?:\*\*[^*\n]{1,60}:\*\*|\*\*[^*\n]{1,60}\*\*\s*:|[^\W\d_][\w '’()-]{0,40}:(?=\s))\s*"
)
_IS_THE = re.compile(r"\*\*\s*(?:is|was|are|were)\s+(?:the|an?)\s+(?!part\b|member\b|subsidiary\b)", re.IGNORECASE)
_NAMES = re.compile(
    r"(?:\b(?:is|are|was|were|by|named|called|be)|:)\s+(?:(?:the|an?|most\s+likely|likely|probably)\s+){0,2}[\"“]?$"
)
_NO_ANSWER = re.compile(
    r"[\s*_]*(?:supported|based|derived|correct|wrong|incorrect|as\s+follows|below|above|found|given|confirmed|consistent|unique)\b",
    re.IGNORECASE,
)
_OPENER = re.compile(r"(?:sure|okay|ok|let|to|hello|hi|well|first|here|i|we|the\s+question|alright|hmm|so)\b", re.IGNORECASE)
LONGEST = 1_500
"""Characters of a place that are read."""
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_ABBREVIATION = re.compile(r"(?<![^\W_])(?:(?:[^\W\d_]\.){2,}|(?:Jr|Sr|Inc|Ltd|Co|Bros|Corp)\.)$")
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

    def extract(self, answer_part: str, item: Item, cut: bool = False) -> Extraction | None:
        """The labelled answer, a box, a stated answer, bold text, or the last line; of a sentence, its name, date or number.

        A place that says that the answer is not known has none.
        """
        question = item.fields.get("question", "")
        spans = list(candidates(answer_part, cut))
        labelled = [s for s in spans if s.labelled]
        stated = [s for s in spans if s.rule == "statement" and not s.labelled and not _NO_ANSWER.match(s.text)]
        for span in [*labelled, *(s for s in spans if s.rule == "boxed"), *stated]:
            if re.search(r"\w", span.text):
                if refuses(first_sentence(span.text)):
                    return None
                if extraction := _short(span, question):
                    return extraction
        return None if cut else _unstated(plain(answer_part), spans, question)

    def grade(self, answer_part: str, item: Item, cut: bool = False) -> Grade:
        """EM and F1 of the extracted span; `strict_*` of the whole answer part."""
        extraction = self.extract(answer_part, item, cut)
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


def _unstated(answer: str, spans: list[Span], question: str) -> Extraction | None:
    """The answer of an output that states none: bold words, a first line that is a name, or the last line."""
    last = next((span for span in spans if span.rule == "last line"), None)
    if last is None or refuses(last.text):
        return None
    bold = next((span for span in spans if span.rule == "bold" and not _heading(span, answer)), None)
    if bold:
        begin = max(answer.rfind("\n", 0, bold.start) + 1, bold.start - LONGEST // 2)
        line = Span("bold", answer[begin : bold.end + LONGEST // 2].split("\n", 1)[0], begin)
        if extraction := _of_bold(line, question):
            return extraction
    opening = first_line(answer)
    if opening and opening.start != last.start and _is_short(opening.text):
        return _short(opening, question, statement=True)
    label = _LABEL.match(last.text)
    if label and label.end() < len(last.text):
        last = Span(last.rule, last.text[label.end() :], last.start + label.end())
        return _short(last, question, statement=True)
    return _short(last, question)


def _is_short(line: str) -> bool:
    """Whether a first line is an answer by itself, which the rest explains."""
    few = len(line.split()) <= 6 and line[:1].isalnum() and not line.endswith((":", "?", ","))
    return few and not _OPENER.match(line) and not _HEADING.fullmatch(line)


def _heading(span: Span, answer: str) -> bool:
    """Whether bold text is a heading: it ends in a colon, or says what comes next."""
    return (
        span.text.rstrip().endswith(":")
        or answer[span.end + 2 : span.end + 3] == ":"
        or bool(_HEADING.fullmatch(span.text.strip()))
    )


def _of_bold(line: Span, question: str) -> Extraction | None:
    """The bold words of a line that answer: the subject of "is the ...", else the last ones that the question does not have."""
    marks = [
        m
        for m in _BOLD.finditer(line.text)
        if not m[2] and not m[1].rstrip().endswith(":") and not _HEADING.fullmatch(m[1].strip())
    ]
    new = [m for m in marks if asked(m[1], question) < 1]
    asks_otherwise = from_sentence(line.text.replace("**", "  "), question)
    if not new and marks and asked(asks_otherwise.answer, question) < 1:
        return _extraction(asks_otherwise.answer, "bold", line.start + asks_otherwise.start)
    new = new or marks[-1:]
    if not new:
        return None
    if (
        asks_otherwise.answer
        and is_typed(question)
        and not any(is_typed_value(m[1], question) for m in new)
        and is_typed_value(asks_otherwise.answer, question)
    ):
        return Extraction(asks_otherwise.answer, "bold", line.start + asks_otherwise.start, line.start + asks_otherwise.end)
    last_begin, _ = last_sentence(line.text[: new[-1].end()])
    new = [m for m in new if m.start() >= last_begin] or new
    first = new[0]
    remark = remark_start(line.text, first.end())
    new = [m for m in new if remark is None or m.start() < remark]
    subject = not line.text[: first.start()].strip(" -*•>") and _IS_THE.match(line.text, first.end() - 2)
    named = [m for m in new if _NAMES.search(line.text, 0, m.start())]
    chosen = first if subject else (named or new)[-1]
    return _extraction(chosen[1], "bold", line.start + chosen.start(1))


def _short(span: Span, question: str, statement: bool = False) -> Extraction | None:
    """The short answer in a place."""
    text, start = span.text[:LONGEST], span.start
    if span.rule == "boxed":
        return _extraction(text, span.rule, start)
    statement = statement or span.rule == "statement"
    text = re.sub(r"(?<=\d)(?:\{,\}|\\,)(?=\d{3})", ",", text)
    if statement:
        part = next(corrected(text))
        text, start = part, start + len(text) - len(part)
        if boxes := [box for box in candidates(text) if box.rule == "boxed"]:
            return _extraction(boxes[0].text, span.rule, start + boxes[0].start)
        opened, _mark, _ = text.partition("**")
        if text.count("**") % 2 and re.search(r"\w", opened):
            text = opened
        if "**" in text.strip("* ") and (bold := _of_bold(Span(span.rule, text, start), question)):
            return Extraction(bold.answer, span.rule, bold.start, bold.end)
    short = from_sentence(text, question, statement)
    return _extraction(short.answer, span.rule, start + short.start)


def _extraction(text: str, rule: str, start: int) -> Extraction | None:
    """A short answer without marks around it; None where nothing is left."""
    begin, end = _trimmed(text)
    core = cleaned(text)
    begin_core, end_core = _trimmed(core)
    core = core[begin_core:end_core]
    if not re.search(r"\w", core) or re.fullmatch(r"(?:final\s+)?answer:?", core, re.IGNORECASE):
        return None
    return Extraction(core, rule, start + begin, start + end)


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
        elif last == "." and _ABBREVIATION.search(text, begin, end):
            break
        elif last in _EDGES + ".,;:!" or (last in _BRACKETS and alone(last, _BRACKETS[last])):
            end -= 1
        else:
            break
    return begin, end
