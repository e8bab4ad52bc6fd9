"""Pictures of the store cost what has changed, and equal a picture taken afresh."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.engines.thinking import FAMILIES, Marks
from core.store.connection import connect
from core.store.watch import Watch, read


@pytest.fixture
def store(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A finished run of three responses, and one under way with two streams."""
    c = connect(tmp_path / "runs.db", "user")
    c.execute("INSERT INTO models (id, name, source, format, family) VALUES (1, 'm', '/m', 'hf', 'm')")
    c.execute("INSERT INTO artifacts (id, model_id, compression, format, ready_at) VALUES (1, 1, 'none', 'gguf', 1)")
    c.execute("INSERT INTO variants (id, artifact_id) SELECT id, id FROM artifacts")
    for job, state in ((1, "done"), (2, "running")):
        c.execute(
            "INSERT INTO jobs (id, kind, state, position, variant_id, benchmark, engine, sampling, created, finished) "
            "VALUES (?, 'run', ?, ?, 1, 'folio', 'llama.cpp', '{}', 1, 2)",
            (job, state, job),
        )
    for item in range(1, 6):
        c.execute("INSERT INTO items VALUES (?, 'folio', ?, 'r', '{}', '[]')", (item, f"q{item}"))
        job, finish = (1, "stop") if item < 4 else (2, None)
        c.execute(
            "INSERT INTO responses (id, job_id, item_id, position, seed, state, finish_reason, collapsed, attempt) "
            "VALUES (?, ?, ?, 0, 1, ?, ?, ?, 1)",
            (item, job, item, "done" if finish else "active", finish, int(item == 1)),
        )
    yield c
    c.close()


def chunk(c: sqlite3.Connection, response: int, seq: int, text: str, tokens: int = 4) -> None:
    c.execute("INSERT INTO chunks VALUES (?, ?, ?, ?)", (response, seq, text, array("I", range(tokens)).tobytes()))


def test_only_new_chunks_are_read_and_the_picture_is_the_same(store: sqlite3.Connection) -> None:
    now = [0.0]
    watch = Watch(store, lambda: now[0])
    for seq, text in enumerate(("thinking ", "goes on </th", "ink> and here is", " the answer")):
        chunk(store, 4, seq, text)
        now[0] += 1.0
        asked: list[str] = []
        store.set_trace_callback(asked.append)
        seen = watch.read()
        store.set_trace_callback(None)
        assert any(f"response_id = 4 AND seq >= {seq} " in sql for sql in asked)
        assert seen.streams[0].thinking == (seq < 2)
    fresh = read(store)
    assert [replace(stream, speed=None) for stream in seen.streams] == list(fresh.streams) and seen.jobs == fresh.jobs
    assert seen.streams[0].tokens == 16 and seen.streams[0].speed == 4.0


@pytest.mark.parametrize("family", [marks for marks in FAMILIES if not marks.words])
def test_a_stream_answers_once_its_family_closes_the_thinking(store: sqlite3.Connection, family: Marks) -> None:
    watch = Watch(store)
    middle = len(family.closes) // 2
    for seq, (text, thinking) in enumerate(((f"so{family.closes[:middle]}", True), (f"{family.closes[middle:]}72", False))):
        chunk(store, 4, seq, text)
        assert watch.read().streams[0].thinking is thinking


def test_counts_of_finished_jobs_are_taken_once(store: sqlite3.Connection) -> None:
    watch = Watch(store)
    first = watch.read()
    assert [(job.id, job.done, job.loops) for job in first.jobs] == [(2, 0, 0), (1, 3, 1)]
    assert first.finished_responses == 3
    asked: list[str] = []
    store.set_trace_callback(asked.append)
    assert watch.read().jobs == first.jobs
    assert not [sql for sql in asked if "job_id = 1 " in sql] and [sql for sql in asked if "job_id = 2 " in sql]
    store.set_trace_callback(None)
    store.execute("UPDATE jobs SET state = 'queued', finished = NULL WHERE id = 1")
    store.execute("DELETE FROM responses WHERE id = 3")
    assert next(job for job in watch.read().jobs if job.id == 1).done == 2


def test_a_new_attempt_is_read_from_its_beginning(store: sqlite3.Connection) -> None:
    watch = Watch(store)
    chunk(store, 4, 0, "one two three</think>")
    assert not watch.read().streams[0].thinking
    store.execute("DELETE FROM chunks")
    store.execute("UPDATE responses SET attempt = 2 WHERE id = 4")
    chunk(store, 4, 0, "again")
    stream = watch.read().streams[0]
    assert (stream.length, stream.thinking) == (5, True)


def test_a_runner_that_ended_without_a_word_is_lost(store: sqlite3.Connection) -> None:
    assert not read(store).runner.lost
    store.execute("UPDATE runner SET state = 'serving', beat = 1, pid = 1")
    assert read(store).runner.lost and not read(store).runner.alive
