"""AIME 2024: thirty competition problems whose answers are integers from 0 to 999.

Item: problem "Every morning Aya goes for a 9-kilometer-long walk ...", gold "204".
"""

from __future__ import annotations

import re
from typing import ClassVar

from benchmarks.base import DataSource, Extraction, Grade, Item, Kind, Metric, Suite
from benchmarks.integers import digits, integer, without_separators
from benchmarks.sentences import first_sentence, last_sentence, refuses
from benchmarks.sources import field, numbered, rows
from benchmarks.statements import Span, candidates, corrected

_NUMBER = re.compile(
    r"(?<![\d.,^_A-Za-z\\/])(?<!\^\{)(?<!_\{)(?P<sign>[-−+]\s?)?\$?(?P<digits>\d{1,3}(?:(?:,\\!|,|\{,\}|\\,)\d{3}){1,9}|\d+)(?P<zeros>\.0+(?!\d))?"
    r"(?![\d]|[.,]\d|\s*/\s*\d|-?(?:st|nd|rd|th)\b)"
)
_ANY_NUMBER = re.compile(r"\d")
_NAMED = re.compile(
    r"\b(?:problem|step|case|part|equation|line|option|question|section|method|page|aime|chapter|premise)s?\s*(?:no\.?\s*|#\s*)?\d+",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(
    r"\s[(\[](?!\\)|,\s(?![^,.;]{0,40}=)|\s[—–-]{1,2}\s(?!\d)|;|。|,(?![\d\s])|\s[|]\s|\b(?:because|since|as|so|which|where|when|whenever|rather|instead|not|"
    r"if|but|with|for|by|given|while|whereas|from|out|unless|although|though|plus)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\bnot\s+(?:equal\s+to\s+)?[\d$\\(),.]{1,20}\s*(?:,?\s*but\b)?", re.IGNORECASE)
_RESULT = re.compile(
    r"(?:\b(?:is|are|equals|gives?|yields?|get|obtain|be|becomes|exactly|total\s+of|leaving)\b|[=≈→⇒:])[\s*_$\\(\[]{0,8}"
    r"(?:(?:exactly|equal\s+to|simply|just|therefore|thus|then|precisely|n\s*=)\s+)?(?=-?\d)",
    re.IGNORECASE,
)
_ALGEBRA = re.compile(r"\\(?:[dt]?frac|sqrt|binom|cdot|times|pi|pm|infty)|[√π^/+*=±!]|\d\s*[-−]\s*\d|\bor\b")
_REPEATED = re.compile(r"\s*(?:or|and|/|,)\s+\$?\\?\(?(\d+)", re.IGNORECASE)
_NO_STATEMENT = re.compile(
    r"\W*(?:supported|based|derived|given|found|obtained|as\s+follows|below|above|an\s+integer|a\s+(?:number|\w+-digit)|between|required|"
    r"expected|always|confirmed|verified|(?:at\s+)?(?:most|least)|less|more|greater|in\s+the\s+(?:form|range))\b",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"[*_`]|\$|\\[()\[\]]")
LONGEST = 600
"""Characters of a statement that are read."""


class Aime:
    """Exact integers; leading zeros do not count, fractions, decimals and negative numbers are none."""

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

    def extract(self, answer_part: str, item: Item, cut: bool = False) -> Extraction | None:
        """The integer in the last box with a number, or labelled behind it; else stated, bold, or in the last line.

        The most explicit place that names a number decides: where that is a fraction or negative, nothing is an answer.
        """
        spans = [span for span in candidates(answer_part, cut) if _ANY_NUMBER.search(span.text)]
        boxed = [span for span in spans if span.rule == "boxed"]
        later = [s for s in spans if s.labelled and boxed and s.start > boxed[0].end and _says_number(s)]
        for span in [*later, *boxed, *spans]:
            if span.rule == "boxed":
                return _extraction(integer(span.text), span)
            if _says_number(span):
                return _extraction(_stated(span), span)
        return None

    def grade(self, answer_part: str, item: Item, cut: bool = False) -> Grade:
        """Correct where the integer is the gold one, which lies between 0 and 999."""
        extraction = self.extract(answer_part, item, cut)
        return Grade(extraction, correct=extraction is not None and extraction.answer == item.gold[0])


def _extraction(answer: str | None, span: Span) -> Extraction | None:
    """An answer with its place: its digits, or all that was read where they do not stand there as such."""
    if answer is None:
        return None
    at = span.text.find(answer)
    start, end = (at, at + len(answer)) if at >= 0 else (0, len(span.text))
    return Extraction(answer, span.rule, span.start + start, span.start + end)


def _says_number(span: Span) -> bool:
    """Whether a place can state an answer: no heading such as "Step 3", no remark on the form of the answer."""
    text = _NAMED.sub(" ", span.text[:LONGEST])
    if span.rule == "bold" and text.rstrip().endswith(":"):
        return False
    return bool(_ANY_NUMBER.search(text)) and not (span.rule == "statement" and _NO_STATEMENT.match(text)) and not refuses(text)


def _stated(span: Span) -> str | None:
    """The integer that a statement, bold text or a last line names."""
    text = span.text if span.text.isdecimal() else span.text[:LONGEST]
    boxes = [box for box in candidates(text) if box.rule == "boxed" and _ANY_NUMBER.search(box.text)]
    if boxes:
        return integer(boxes[0].text)
    if span.rule == "last line":
        start, end = last_sentence(text)
        sentence = _NAMED.sub(" ", text[start:end])
        return _prose(sentence, first=False) if _ANY_NUMBER.search(sentence) else _prose(text, first=False)
    for part in corrected(text):
        part = _NAMED.sub(" ", part)
        if _ANY_NUMBER.search(part):
            return _prose(part, first=True)
    return None


def _prose(text: str, first: bool) -> str | None:
    """The integer of a sentence: its first where it begins with it, else what follows "is" or "=", else the first or last."""
    text = _DENIED.sub(" ", first_sentence(without_separators(text)))
    bare = _MARKUP.sub(" ", text).strip()
    if not re.match(r"[-−+\d\\√(\[{$]|\w{1,3}\s*(?:[-+]\s*\w\s*)*=|approximately|about|exactly", bare):
        results = list(_RESULT.finditer(bare))
        if results:
            bare = bare[results[-1].end() :]
        elif not first:
            return _last(bare)
    clause = _clause(bare)
    without_units = re.sub(
        r"(?<=\d)\s*(?:[a-zA-Z]{1,3}/[a-zA-Z]{1,4}|cm|mm|km|m|ft|in|units?|inches|feet|meters?|metres?)\s*(?:\^\s*\{?\d\}?|\d|[²³])?(?!\w)",
        " ",
        clause,
    )
    exclaimed = without_units.rstrip(" .").removesuffix("!") if "$" not in text and "\\" not in text else without_units
    if _ALGEBRA.search(exclaimed):
        return integer(exclaimed)
    return _first(exclaimed)


def _clause(text: str) -> str:
    """A text up to the end of the clause that names its first number."""
    number = _ANY_NUMBER.search(text)
    end = _CLAUSE_END.search(text, number.end()) if number else None
    return text[: end.start()] if end else text


def _first(text: str) -> str | None:
    number = _ANY_NUMBER.search(text)
    match = _NUMBER.search(text)
    if not match or not number or match.end() < number.start() or number.start() < match.start():
        return None
    other = _REPEATED.match(text, match.end())
    if other and digits(other[1]) != _plain(match):
        return None
    return None if (match["sign"] or "").strip() in ("-", "−") else _plain(match)


def _last(text: str) -> str | None:
    matches = list(_NUMBER.finditer(text))
    return None if not matches or (matches[-1]["sign"] or "").strip() in ("-", "−") else _plain(matches[-1])


def _plain(match: re.Match[str]) -> str:
    return digits("".join(character for character in match["digits"] if character.isdecimal()))
