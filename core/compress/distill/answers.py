"""A teacher's answers to learn from: finished responses of runs in the store that the benchmark's grader found correct."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.prompts import load_template
from benchmarks.registry import get
from core.errors import DataError
from core.store.connection import opened
from core.store.inputs import kept


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked (with `chat` one user turn, else raw text), and what the teacher wrote after it.

    The teacher's own prompt is not kept: its template need not be the student's, and a server does not tell it.
    """

    question: str
    chat: bool
    text: str


@dataclass(frozen=True, slots=True)
class Sampled:
    """The result of rejection sampling: number of `finished` responses, of `correct` ones, and the distinct `answers`."""

    finished: int
    correct: int
    answers: tuple[Answer, ...]


def sampled(store: Path | None, runs: Sequence[int]) -> Sampled:
    """Correct answers that ended by themselves, each once, in the order of the runs. Raises DataError with what to do."""
    if store is None:
        raise DataError("Distillation needs the store that holds the teacher's runs.", "Name one with --store.")
    with opened(store, "reader") as connection:
        responses = [answer for run in runs for answer in _answers(connection, run)]
    correct = [answer for answer, right in responses if right]
    distinct = {(answer.question, " ".join(answer.text.split())): answer for answer in reversed(correct)}
    if not distinct:
        named = ", ".join(map(str, runs))
        raise DataError(
            f"None of the {len(responses)} responses of run {named} is correct.", "Choose runs of a better teacher."
        )
    return Sampled(len(responses), len(correct), tuple(reversed(distinct.values())))


def _answers(connection: sqlite3.Connection, run: int) -> Iterator[tuple[Answer, bool]]:
    """The finished responses of one run, and whether each may be learned from.

    Raises DataError where there is no such run, or it is not done.
    """
    row = connection.execute("SELECT kind, state, benchmark, prompts_file FROM jobs WHERE id = ?", (run,)).fetchone()
    if row is None or row["kind"] != "run":
        raise DataError(f"There is no run {run} to learn from.", "`lrm-tui ls` lists the runs of this store.")
    _, state, benchmark, prompts = row
    if state != "done":
        raise DataError(f"Run {run} is {state}: its answers are not complete.", "Requeue this job when it is done.")
    file = Path(prompts) if prompts else None
    template = kept(connection, run).template or load_template(get(benchmark).prompt_key, file)
    for row in connection.execute(_ANSWERS, (run,)).fetchall():
        question = template.fill(json.loads(row["fields"]))
        yield Answer(question, template.chat, row["text"]), bool(row["right"]) and row["finish_reason"] == "stop"


_ANSWERS = """
SELECT i.fields, t.text, r.finish_reason, coalesce(r.correct = 1, r.em = 1.0, 0) AS right
FROM responses r JOIN response_texts t ON t.response_id = r.id JOIN items i ON i.id = r.item_id
WHERE r.job_id = ? AND r.state = 'done' ORDER BY r.position, r.sample
"""
