"""The worker that makes variants one after the other, in a real store with real children."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import ModelError
from core.files.locks import lock_with_retries
from core.jobs import queue
from core.runner.gpus import LocalGpus
from core.runner.prepare import Preparer, _stays
from core.runner.processes import process_start
from core.settings import load
from core.spec import PrepareJob, RunSpec, Sampling
from core.store.connection import connect, runner_lock
from core.store.runner_store import RunnerStore
from tests.helpers.jobs import prepare_job

TEMPLATE = RunSpec("", "none", "pocket-facts", "llama.cpp", Sampling(max_tokens=8), limit=1)


@pytest.fixture
def store(tmp_path: Path) -> RunnerStore:
    connect(tmp_path / "runs.db", "user").close()
    opened = RunnerStore(tmp_path / "runs.db")
    lock_with_retries(runner_lock(opened.path))
    opened.take_over(0.0)
    return opened


def queued(store: RunnerStore, model: Path, *compressions: str) -> list[PrepareJob]:
    """Preparations, claimed."""
    connection: sqlite3.Connection = connect(store.path, "user")
    queue.add(connection, [replace(TEMPLATE, model=str(model), compression=one) for one in compressions])
    return [job for job in store.startable() if isinstance(job, PrepareJob) and store.claim(job.id)]


def pid(preparer: Preparer) -> int | None:
    return None if preparer._child is None else preparer._child.process.pid


def test_a_worker_stays_for_the_next_preparation(store: RunnerStore, hf_model: Path, tmp_path: Path) -> None:
    preparer = Preparer(store, tmp_path / "logs", LocalGpus(), stays=True)
    pids = set()
    for job in queued(store, hf_model, "magnitude-50", "q8_0", "q4_0"):
        assert preparer.prepare(job, tmp_path, load()) == "done"
        pids.add(pid(preparer))
        assert "q" not in job.compression or "quantized" in (tmp_path / "logs" / f"prepare-{job.id}.log").read_text()
    (number,) = pids
    assert number is not None
    assert store.connection.execute("SELECT pid FROM hosts").fetchone()[0] == number
    preparer.close()
    assert process_start(number) is None
    assert store.connection.execute("SELECT count(*) FROM hosts").fetchone()[0] == 0


def test_one_that_died_while_it_waited_is_started_again(store: RunnerStore, hf_model: Path, tmp_path: Path) -> None:
    preparer = Preparer(store, tmp_path / "logs", LocalGpus(), stays=True)
    first, second = queued(store, hf_model, "none", "q8_0")
    assert preparer.prepare(first, tmp_path, load()) == "done"
    assert preparer._child is not None
    preparer._child.process.kill()
    assert preparer.prepare(second, tmp_path, load()) == "done"
    preparer.close()


def test_none_is_left_after_a_failure_or_where_none_may_stay(store: RunnerStore, hf_model: Path, tmp_path: Path) -> None:
    staying = Preparer(store, tmp_path / "logs", LocalGpus(), stays=True)
    (job,) = queued(store, hf_model, "q8_0")
    with pytest.raises(ModelError):
        staying.prepare(replace(job, source=str(tmp_path)), tmp_path, load())
    assert pid(staying) is None
    leaving = Preparer(store, tmp_path / "logs", LocalGpus(), stays=False)
    assert leaving.prepare(job, tmp_path, load()) == "done"
    assert pid(leaving) is None


@pytest.mark.parametrize(
    ("compression", "stays"),
    [
        ("q8_0", True),
        ("sparsegpt-50@traces", True),
        ("sparsegpt-50@c4", False),
        ("distill-1", False),
        ("distill-1+q8_0", False),
    ],
)
def test_it_stays_for_what_neither_trains_nor_fetches(compression: str, stays: bool) -> None:
    assert _stays(prepare_job(compression=compression)) == stays
