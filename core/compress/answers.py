"""A teacher's answers to learn from: finished responses of runs in the store that the benchmark's grader found correct."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import DataError
from core.store.connection import connect, translated


@dataclass(frozen=True, slots=True)
class Answer:
    """A prompt as the engine saw it, and what the teacher wrote after it."""

    prompt: str
    text: str


@dataclass(frozen=True, slots=True)
class Sampled:
    """What rejection sampling has kept: `finished` responses, of which `correct`, of which `answers` differ."""

    finished: int
    correct: int
    answers: tuple[Answer, ...]


def sampled(store: Path | None, runs: Sequence[int]) -> Sampled:
    """Correct answers that ended by themselves, each once, in the order of the runs. Raises DataError with what to do."""
    if store is None:
        raise DataError("Distillation needs the store that holds the teacher's runs.", "Name one with --store.")
    connection = connect(store, "reader")
    try:
        with translated(store):
            rows = [row for run in runs for row in _rows(connection, run)]
    finally:
        connection.close()
    correct = [Answer(row["prompt"], row["text"]) for row in rows if row["right"] and row["finish_reason"] == "stop"]
    kept = {(answer.prompt, " ".join(answer.text.split())): answer for answer in reversed(correct)}
    if not kept:
        named = ", ".join(map(str, runs))
        raise DataError(f"None of the {len(rows)} responses of run {named} is correct.", "Choose runs of a better teacher.")
    return Sampled(len(rows), len(correct), tuple(reversed(kept.values())))


def _rows(connection: sqlite3.Connection, run: int) -> list[sqlite3.Row]:
    """The finished responses of one run. Raises DataError where there is no such run, or it is not done."""
    job = connection.execute("SELECT kind, state FROM jobs WHERE id = ?", (run,)).fetchone()
    if job is None or job["kind"] != "run":
        raise DataError(f"There is no run {run} to learn from.", "`lrm-tui ls` lists the runs of this store.")
    if job["state"] != "done":
        raise DataError(f"Run {run} is {job['state']}: its answers are not complete.", "Requeue this job when it is done.")
    return connection.execute(_ANSWERS, (run,)).fetchall()


_ANSWERS = """
SELECT t.prompt, t.text, r.finish_reason, coalesce(r.correct = 1, r.em = 1.0, 0) AS right
FROM responses r JOIN response_texts t ON t.response_id = r.id
WHERE r.job_id = ? AND r.state = 'done' ORDER BY r.position, r.sample
"""
