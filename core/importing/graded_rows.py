"""Rows of a file graded without a store: an output beside its question or its right answer, and what the rules read in it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from benchmarks.base import Benchmark, DataSource, Item
from benchmarks.parts import split, was_cut, words
from benchmarks.registry import get, names
from core.collapse import Detector
from core.errors import DataError
from core.grading.endings import Output, state_of_prompt
from core.grading.grade import judged
from core.grading.infer import reason_of as inferred_reason
from core.grading.loops import ends_in_loop
from core.grading.settle import Siblings, among, most
from core.importing import sampling
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
    ending: str | None


class UnreadRow(DataError):
    """A row lacks something, or has something of the wrong kind."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A row that could not be read: its line from 1, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class _ReadRow:
    """A row that was read: its id, its question and whether the right answer is known, its output, and the `run`
    (benchmark, model) that it names: rows that name no model may come from anywhere, and tell nothing of each other.

    `unsaid`: the row does not say how the output ended.
    """

    id: object
    benchmark: Benchmark
    item: Item
    known: bool
    output: Output
    unsaid: bool
    run: tuple[str, str] | None

    @property
    def thinks(self) -> bool:
        """Whether it closes some thinking."""
        return self.output.parts.closed and words(self.output.parts.thinking) > 0

    @property
    def silent(self) -> bool:
        """Whether neither its prompt nor its text tells if thinking was open."""
        return self.output.prompt is None and not self.output.parts.closed and not self.output.parts.opened


@dataclass(slots=True)
class RowGrader:
    """Grades rows; `benchmark` is that of rows that name none. Questions are loaded when a row first names one by its id."""

    source: DataSource
    benchmark: str | None = None
    _questions: dict[str, Questions] = field(default_factory=dict)

    def every(self, lines: Iterable[str]) -> Iterator[GradedRow | Unread]:
        """A grade for each row, or why it could not be read, once all are read: siblings tell of each other's endings.

        Raises DataError where the questions are not there.
        """
        read: list[_ReadRow | Unread] = []
        number = 0
        try:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    read.append(self._read_line(line, number))
        except UnicodeDecodeError as error:
            read.append(Unread(number + 1, f"it is no UTF-8, nor is what follows read: {error.reason}."))
        runs: dict[tuple[str, str] | None, list[_ReadRow]] = defaultdict(list)
        for row in read:
            if isinstance(row, _ReadRow) and row.run is not None:
                runs[row.run].append(row)
        others = {run: _siblings(rows) for run, rows in runs.items()} | {None: Siblings(False)}
        for row in read:
            yield row if isinstance(row, Unread) else _graded(row, others[row.run])

    def _read_line(self, line: str, number: int) -> _ReadRow | Unread:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            return Unread(number, f"it is no JSON object: {error}.")
        try:
            return self._read(row, number)
        except UnreadRow as error:
            return Unread(number, str(error))

    def _read(self, row: object, number: int) -> _ReadRow:
        """One row, read. Raises UnreadRow naming what is missing or of the wrong kind."""
        if not isinstance(row, dict):
            raise UnreadRow("it is no JSON object.")
        text, prompt = row.get("output"), row.get("prompt")
        if not isinstance(text, str):
            raise UnreadRow("it has no text under `output`.")
        benchmark = get(self._name(row.get("benchmark")))
        said = _reason(row.get("finish_reason"))
        item, known = self._item(benchmark, row)
        state = state_of_prompt(prompt) if isinstance(prompt, str) else None
        output = _output(benchmark, item, text, said, state, sampling.said(row))
        run = (benchmark.name, str(row["model"])) if row.get("model") else None
        return _ReadRow(row.get("id", number), benchmark, item, known, output, said is None, run)

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


def _output(benchmark: Benchmark, item: Item, text: str, said: str | None, prompt: str | None, drawn: sampling.Said) -> Output:
    """An output with its parts, how it ended as far as it tells itself, and whether it loops at its end."""
    detector = Detector()
    detector.feed(text)
    detector.finish()
    loop = detector.verdict
    limit = drawn.get("max_tokens")
    reason = said or inferred_reason(benchmark, item, text, loop, prompt, limit)
    looping = loop.state == "collapsed" and was_cut(reason) and ends_in_loop(text, loop.position, loop.period)
    return Output(text, split(text, reason, None, prompt), reason, prompt, looping, stops=drawn.get("stop", ()), limit=limit)


def _siblings(rows: Sequence[_ReadRow]) -> Siblings:
    """What rows of one benchmark and model tell of each other."""
    silent = [row for row in rows if row.silent]
    if any(row.thinks for row in rows):
        return Siblings(True, [len(row.output.text) for row in silent if not row.output.looping])
    broken = [row.output.reason == "length" for row in silent if row.unsaid and not row.output.looping]
    return Siblings(False, break_off=most(broken))


def _graded(row: _ReadRow, others: Siblings) -> GradedRow:
    columns = judged(row.benchmark, row.item, among(others, row.output, row.unsaid))
    graded: GradedRow = {"id": row.id, "parsed": columns["parsed"], "rule": columns["rule"]}
    if row.benchmark.metric == "accuracy":
        graded["correct"] = bool(columns["correct"]) if row.known else None
    else:
        graded["em"], graded["f1"] = (columns["em"], columns["f1"]) if row.known else (None, None)
    graded["ending"] = columns["ending"]
    return graded


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
