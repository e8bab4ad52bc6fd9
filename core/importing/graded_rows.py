"""Rows of a file graded without a store: an output beside its question or its right answer, and what the rules read in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypedDict

from benchmarks.base import Benchmark, DataSource, Item
from benchmarks.parts import split, was_cut
from benchmarks.registry import get, names
from benchmarks.sentences import refuses
from core.collapse import Detector
from core.errors import DataError
from core.grading.endings import Ending, Output, ending
from core.importing.match import Questions
from core.importing.record import Record, benchmark_of, reason_of

_LABELS = {"true": "True", "false": "False", "uncertain": "Uncertain", "unknown": "Uncertain"}


class GradedRow(TypedDict, total=False):
    """What is printed of a row: `correct`, or `em` and `f1` (0 to 1), are None where the row says no right answer."""

    id: object
    parsed: str | None
    rule: str | None
    correct: bool | None
    em: float | None
    f1: float | None
    ending: Ending | None


class UnreadRow(DataError):
    """A row lacks something, or has something of the wrong kind."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A row that could not be read: its line from 1, and why."""

    line: int
    reason: str


@dataclass(slots=True)
class RowGrader:
    """Grades rows; `benchmark` is that of rows that name none. Questions are loaded when a row first names one by its id."""

    source: DataSource
    benchmark: str | None = None
    _questions: dict[str, Questions] = field(default_factory=dict)

    def every(self, lines: Iterable[str]) -> Iterator[GradedRow | Unread]:
        """A grade for each row, or why it could not be read. Raises DataError where the questions are not there."""
        number = 0
        try:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield self._graded(line, number)
        except UnicodeDecodeError as error:
            yield Unread(number + 1, f"it is no UTF-8, nor is what follows read: {error.reason}.")

    def _graded(self, line: str, number: int) -> GradedRow | Unread:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            return Unread(number, f"it is no JSON object: {error}.")
        try:
            return self.grade(row, number)
        except UnreadRow as error:
            return Unread(number, str(error))

    def grade(self, row: object, number: int) -> GradedRow:
        """The grade of one row. Raises UnreadRow naming what is missing or of the wrong kind."""
        if not isinstance(row, dict):
            raise UnreadRow("it is no JSON object.")
        output = row.get("output")
        if not isinstance(output, str):
            raise UnreadRow("it has no text under `output`.")
        benchmark = get(self._name(row.get("benchmark")))
        reason = _reason(row.get("finish_reason"))
        item, known = self._item(benchmark, row)
        parts = split(output, reason)
        grade = benchmark.grade(parts.answer, item, was_cut(reason))
        found = grade.extraction
        graded: GradedRow = {
            "id": row.get("id", number),
            "parsed": found.answer if found else None,
            "rule": found.rule if found else None,
        }
        if benchmark.metric == "accuracy":
            graded["correct"] = grade.correct if known else None
        else:
            graded["em"], graded["f1"] = (grade.em, grade.f1) if known else (None, None)
        declined = found is None and refuses(parts.answer)
        looped = was_cut(reason) and _looped(output)
        graded["ending"] = ending(Output(output, parts, reason, None, looped), graded["parsed"], declined)
        return graded

    def _name(self, name: object) -> str:
        name = name if name is not None else self.benchmark
        if not isinstance(name, str):
            raise UnreadRow("it names no benchmark.", "Add `benchmark` to the row, or give --benchmark.")
        try:
            return benchmark_of(name, "")
        except DataError:
            raise UnreadRow(f"there is no benchmark {name!r}.", f"Use one of {', '.join(names())}.") from None

    def _item(self, benchmark: Benchmark, row: dict[str, object]) -> tuple[Item, bool]:
        """A row's question, by its fields or its id, and whether its right answer is known."""
        named, gold = row.get("item"), _gold(row.get("gold"))
        if isinstance(named, dict):
            inner = named.get("fields")
            fields = inner if isinstance(inner, dict) else named
            gold = gold or _gold(named.get("gold"))
            texts = {str(name): str(value) for name, value in fields.items() if isinstance(value, str | int | float)}
            return Item(str(named.get("key", "")), texts, gold or ("",)), bool(gold)
        if isinstance(named, str | int) and not isinstance(named, bool):
            item = self._find(benchmark, named)
            return (Item(item.key, item.fields, gold) if gold else item), True
        if named is not None:
            raise UnreadRow(f"its `item` is neither a question's id nor its fields: {named!r}.")
        return Item("", {}, gold or ("",)), bool(gold)

    def _find(self, benchmark: Benchmark, named: str | int) -> Item:
        if benchmark.name not in self._questions:
            self._questions[benchmark.name] = Questions(benchmark.load(self.source))
        questions = self._questions[benchmark.name]
        try:
            return questions.items[questions.find(Record("", "", benchmark.name, "", named))]
        except DataError:
            raise UnreadRow(f"{benchmark.name} has no question {named!r}.", "Name its id, or its row from 0.") from None


def _looped(text: str) -> bool:
    detector = Detector()
    detector.feed(text)
    detector.finish()
    return detector.verdict.state == "collapsed"


def _reason(value: object) -> str | None:
    try:
        return reason_of(value, "")
    except DataError:
        raise UnreadRow(f"{value!r} is no finish reason.", "Use stop, length or repetition, or leave it out.") from None


def _gold(value: object) -> tuple[str, ...]:
    """The accepted answers of a row in the spelling of the benchmarks: "(B)" is B, 073 is 73, "unknown" is Uncertain."""
    values = value if isinstance(value, list) else [] if value is None else [value]
    return tuple(_spelled(str(one)) for one in values)


def _spelled(text: str) -> str:
    text = text.strip()
    if len(text) == 3 and text[0] == "(" and text[2] == ")":
        return text[1].upper()
    if text.isdecimal():
        return text.lstrip("0") or "0"
    return _LABELS.get(text.lower(), text)
