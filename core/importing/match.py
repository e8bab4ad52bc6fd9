"""Turns records into rows: matches each with its question, grades it and scans it for a loop."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from benchmarks.base import DataSource, Item
from benchmarks.registry import get
from core.collapse import Detector
from core.compress.methods import pruned_share
from core.errors import DataError
from core.grading.endings import state_of_prompt
from core.grading.grade import Thinking, columns, loop_columns
from core.grading.infer import reason_of
from core.importing.files import MEND
from core.importing.record import Record
from core.store.columns import Columns
from core.store.protocol import canonical_json


@dataclass(frozen=True, slots=True)
class Response:
    """A graded output: its question, its row and its texts. `sample` counts the outputs to one question from 0."""

    item: Item
    position: int
    sample: int
    columns: Columns
    prompt: str
    text: str


@dataclass(slots=True)
class Run:
    """The outputs of one variant on one benchmark, with what is known of the `sampling` as canonical JSON.

    `fingerprint` is equal for equal outputs, whatever file held them.
    """

    model: str
    compression: str
    benchmark: str
    sampling: str = "{}"
    parameters: int | None = None
    bits_per_weight: float | None = None
    sparsity: float | None = None
    responses: list[Response] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """A hash of questions, samples and outputs."""
        parts = sorted(f"{r.item.key}\0{r.sample}\0{r.text}" for r in self.responses)
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
        return digest.hexdigest()


def grade(records: Iterable[Record], source: DataSource, progress: Callable[[int], None] = lambda done: None) -> list[Run]:
    """The runs that the records belong to. Raises DataError naming the line of the first record that matches no question."""
    questions: dict[str, Questions] = {}
    runs: dict[tuple[str, str, str, str], Run] = {}
    samples: Counter[tuple[str, str, str, str, int]] = Counter()
    for done, record in enumerate(records, 1):
        key = (record.model, record.compression, record.benchmark, canonical_json(record.sampling))
        if record.benchmark not in questions:
            questions[record.benchmark] = Questions(get(record.benchmark).load(source))
        position = questions[record.benchmark].find(record)
        item = questions[record.benchmark].items[position]
        run = runs.setdefault(key, Run(*key))
        _fill_in(run, record)
        row = _row(record, item)
        run.responses.append(Response(item, position, samples[(*key, position)], row, record.prompt, record.output))
        samples[(*key, position)] += 1
        progress(done)
    return list(runs.values())


class Questions:
    """The questions of a benchmark, looked up by row, by id or by their text."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self._by_key = {item.key: position for position, item in enumerate(items)}
        self._texts = [[_plain(text) for text in item.fields.values()] for item in items]

    def find(self, record: Record) -> int:
        """The row of the question that a record answers. Raises DataError where there is none."""
        if record.question is not None:
            return self._asked(record, _plain(record.question))
        item = record.item
        if isinstance(item, str) and item in self._by_key:
            return self._by_key[item]
        if isinstance(item, int) or (isinstance(item, str) and item.isdecimal()):
            if 0 <= int(item) < len(self.items):
                return int(item)
            raise DataError(f"{record.source_line}: {record.benchmark} has rows 0 to {len(self.items) - 1}, not {item}.", MEND)
        raise DataError(f"{record.source_line}: {record.benchmark} has no question {item!r}.", MEND)

    def _asked(self, record: Record, question: str) -> int:
        hint = record.item if isinstance(record.item, int) else None
        order = list(range(len(self.items)))
        if hint is not None and 0 <= hint < len(self.items):
            order.insert(0, hint)
        for position in order:
            if all(text in question for text in self._texts[position]):
                return position
        raise DataError(
            f"{record.source_line}: its question is none of {record.benchmark}'s.",
            "Check the benchmark and --data; nothing was imported.",
        )


def _fill_in(run: Run, record: Record) -> None:
    run.parameters = run.parameters or record.parameters
    run.bits_per_weight = run.bits_per_weight or record.bits_per_weight
    if run.sparsity is None:
        run.sparsity = record.sparsity / 100 if record.sparsity is not None else pruned_share(record.compression)


def _row(record: Record, item: Item) -> Columns:
    detector = Detector()
    detector.feed(record.output)
    detector.finish()
    verdict = detector.verdict
    thinking = Thinking(prompt=state_of_prompt(record.prompt))
    benchmark = get(record.benchmark)
    limit, stops = record.sampling.get("max_tokens"), record.sampling.get("stop", ())
    reason = record.reason or reason_of(benchmark, item, record.output, verdict, thinking.prompt, limit)
    return {
        **columns(benchmark, item, record.output, [], reason, thinking, loop=verdict, stops=stops),
        **{"thinking_tokens": None, "answer_tokens": None, "inferred": int(record.reason is None)},
        **loop_columns(verdict, audit=True),  # imported outputs were never stopped by a rule
    }


def _plain(text: str) -> str:
    return " ".join(text.split())


def describe(runs: Iterable[Run]) -> Iterator[str]:
    """One line per run: its variant, its benchmark and its number of outputs."""
    for run in runs:
        questions = len({response.position for response in run.responses})
        more = "" if questions == len(run.responses) else f" to {questions} questions"
        yield f"{run.model} {run.compression} on {run.benchmark}: {len(run.responses)} outputs{more}"
