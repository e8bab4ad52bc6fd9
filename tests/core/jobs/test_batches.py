"""Many runs added in several transactions are there whole or not at all, and none starts before."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import StoreError
from core.jobs import queue
from core.spec import RunSpec
from core.store import batches
from core.store.connection import connect
from core.store.runner_store import RunnerStore
from tests.helpers.waiting import until

ADDS = """
import sys, time
from pathlib import Path
from core.jobs import queue
from core.store import batches
from core.store.connection import connect
from tests.core.jobs.test_batches import runs
batches.LARGEST = 50
added = queue._added
def slowly(*arguments):
    ids = added(*arguments)
    print(len(ids), flush=True)
    time.sleep(0.05)
    return ids
queue._added = slowly
queue.add(connect(Path(sys.argv[1]), "user"), runs(2_000))
"""


def runs(count: int) -> list[RunSpec]:
    """Runs that need no preparation, but for the last."""
    spec = RunSpec("openai:http://127.0.0.1:9/v1#m", "none", "pocket-facts", "openai")
    return [*(replace(spec, seed=seed) for seed in range(count - 1)), RunSpec("pocket", "none", "pocket-facts", "llama.cpp")]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """A store whose batches are small."""
    monkeypatch.setattr(batches, "LARGEST", 50)
    with closing(connect(tmp_path / "runs.db", "user")) as connection:
        yield connection


def jobs(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM jobs").fetchone()[0])


def test_a_batch_starts_once_it_is_whole(store: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = RunnerStore(tmp_path / "runs.db")
    runner.take_over(0.0)
    startable = []
    added = queue._added

    def watched(*arguments: object) -> list[int]:
        startable.append((runner.startable(), jobs(runner.connection)))
        return added(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(queue, "_added", watched)
    ids = queue.add(store, runs(220))
    assert len(ids) == 220 and len(startable) == 5 and startable[-1] == ([], 200)
    assert len(runner.startable()) == 100 and jobs(store) == 221
    assert [job.id for job in runner.startable()] == ids[:100]


def test_what_fails_amid_it_leaves_nothing(store: sqlite3.Connection) -> None:
    kept = queue.add(store, runs(3))
    store.execute(
        "CREATE TRIGGER full BEFORE INSERT ON jobs WHEN (SELECT count(*) FROM jobs) >= 170 BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    with pytest.raises(sqlite3.IntegrityError, match="full"):
        queue.add(store, runs(220))
    assert jobs(store) == len(kept) + 1 and not store.execute("SELECT * FROM open_batches").fetchall()


def test_a_batch_that_was_taken_for_abandoned_is_not_added_on(
    store: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the clock jumps, so that a living process looks like another one of its number."""
    added, chunks = queue._added, []

    def removed(connection: sqlite3.Connection, checked: object, batch: int) -> list[int]:
        ids = added(connection, checked, batch)  # type: ignore[arg-type]
        chunks.append(ids)
        if len(chunks) == 2:
            while not batches.remove_some(connection, batch):
                pass
        return ids

    monkeypatch.setattr(queue, "_added", removed)
    with pytest.raises(StoreError, match="taken for abandoned"):
        queue.add(store, runs(220))
    assert len(chunks) == 2 and jobs(store) == 0


@pytest.mark.parametrize("remover", ["the next that adds", "the runner"])
@pytest.mark.parametrize("chunks", [1, 7])
def test_what_a_killed_process_has_added_is_removed(
    store: sqlite3.Connection, tmp_path: Path, remover: str, chunks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs.db"
    runner = RunnerStore(path)
    runner.take_over(0.0)
    with subprocess.Popen([sys.executable, "-c", ADDS, path], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as adds:
        assert adds.stdout is not None
        for _ in range(chunks):
            assert adds.stdout.readline() == b"50\n"
        until(lambda: jobs(store) >= 50 * chunks)
        assert runner.startable() == []
        os.kill(adds.pid, signal.SIGKILL)
    assert jobs(store) >= 50 * chunks
    if remover == "the runner":
        monkeypatch.setattr(batches, "_REMOVED", 60)
        while jobs(store):
            assert runner.startable() == []
    ids = queue.add(store, runs(2))
    assert jobs(store) == 3 and len(ids) == 2 and not store.execute("SELECT * FROM open_batches").fetchall()


def test_a_preparation_that_others_wait_for_stays(store: sqlite3.Connection) -> None:
    batch = batches.begin(store)
    queue._added(store, queue.check(runs(2)), batch)
    (other,) = queue.add(store, [RunSpec("pocket", "none", "pocket-logic", "llama.cpp")])
    batches.remove(store, batch)
    left = store.execute("SELECT id, kind FROM jobs ORDER BY kind").fetchall()
    assert [row["kind"] for row in left] == ["prepare", "run"] and left[1]["id"] == other
