"""Runs side by side on GPUs of their own. The GPUs are names of a setting: no driver is asked, and the hosts are real."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from core.runner import gpus
from core.runner.client import ensure_runner, stop_runner
from core.settings import load
from core.spec import RunSpec
from core.store.connection import connect
from tests.helpers.runs import ended, queued, spec
from tests.helpers.waiting import until

COMPRESSION = "magnitude-70"
HOSTS = "SELECT h.pid, h.job_id FROM hosts h JOIN jobs j ON j.id = h.job_id WHERE j.kind = 'run' AND j.state = 'running'"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which the variant of these tests is ready."""
    folder = tmp_path_factory.mktemp("prepared")
    with queued(folder, replace(spec("pocket", limit=1), compression=COMPRESSION)) as (store, (job,)):
        assert ended(store, job)["state"] == "done"
    return folder / "runs.db"


@pytest.fixture
def folder(tmp_path: Path, prepared: Path) -> Path:
    """A folder with a store of its own that knows this variant."""
    shutil.copy(prepared, tmp_path / "runs.db")
    return tmp_path


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two GPUs of names that no other test locks."""
    unique = uuid4().hex[:8]
    names = [f"test-{unique}-{i}" for i in (0, 1)]
    monkeypatch.setenv("LRM_GPUS", ",".join(names))
    return names


def long(**changes: Any) -> RunSpec:
    """A run of seconds: pruned so far that its outputs go on to the limit of tokens."""
    return replace(spec("pocket", limit=6, max_tokens=300), compression=COMPRESSION, **changes)


def seen(pid: int) -> str | None:
    """The GPUs that a process was started with, as long as it lives."""
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    except OSError:
        return None
    return dict(entry.partition("=")[::2] for entry in entries).get("CUDA_VISIBLE_DEVICES", "all")


def side_by_side(store: sqlite3.Connection, count: int) -> Callable[[], dict[int, str | None] | None]:
    def found() -> dict[int, str | None] | None:
        hosts = {row["job_id"]: seen(row["pid"]) for row in store.execute(HOSTS)}
        return hosts if len(hosts) == count and None not in hosts.values() else None

    return found


def test_runs_start_side_by_side_each_on_a_gpu_of_its_own(folder: Path, two: list[str]) -> None:
    runs = [long(seed=seed) for seed in range(3)]
    with queued(folder, *runs) as (store, (first, second, third)):
        hosts = until(side_by_side(store, 2))
        assert set(hosts) == {first, second} and sorted(hosts.values()) == two
        assert store.execute("SELECT message FROM jobs WHERE id = ?", (third,)).fetchone()[0] == "waits for 1 GPU"
        assert all(ended(store, job)["state"] == "done" for job in (first, second, third))
        assert len(list((folder / ".lrm-tui" / "runs" / "logs").glob("host-*"))) == 2, "the third run loaded the model again"
        assert store.execute("SELECT count(*) FROM responses WHERE state = 'done'").fetchone()[0] == 19


def test_a_run_takes_as_many_as_it_names_and_is_not_overtaken(folder: Path, two: list[str]) -> None:
    runs = [long(gpus=1), long(gpus=2, seed=1), long(gpus=1, seed=2), long(gpus=0, seed=3)]
    with queued(folder, *runs) as (store, (one, both, after, none)):
        hosts = until(side_by_side(store, 2))
        assert set(hosts) == {one, none}, "what needs no GPU need not wait for one; the third may not overtake the second"
        assert hosts[one] in two and hosts[none] not in two
        assert store.execute("SELECT message FROM jobs WHERE id = ?", (both,)).fetchone()[0] == "waits for 2 GPUs"
        until(lambda: store.execute("SELECT 1 FROM jobs WHERE id = ? AND state = 'running'", (both,)).fetchone())
        pid = until(lambda: store.execute("SELECT pid FROM hosts WHERE job_id = ?", (both,)).fetchone())[0]
        assert seen(pid) == ",".join(two)
        assert store.execute("SELECT state FROM jobs WHERE id = ?", (after,)).fetchone()[0] == "queued"
        assert all(ended(store, job)["state"] == "done" for job in (one, both, after, none))


def test_a_run_that_needs_more_than_there_are_fails_and_the_queue_goes_on(folder: Path, two: list[str]) -> None:
    short = replace(spec("pocket", limit=2), compression=COMPRESSION)
    with queued(folder, short, replace(short, gpus=3), short) as (store, (fine, greedy, after)):
        row = ended(store, greedy)
        assert row["state"] == "failed" and row["error"] == "It needs 3 GPUs, and there are 2." and "--gpus" in row["remedy"]
        assert ended(store, fine)["state"] == ended(store, after)["state"] == "done"


def test_another_runner_of_the_machine_waits(folder: Path, two: list[str]) -> None:
    (folder / "other").mkdir()
    shutil.copy(folder / "runs.db", folder / "other")
    with queued(folder, long(gpus=2)) as (store, (job,)), queued(folder / "other", long(gpus=1)) as (other, (waiting,)):
        until(side_by_side(store, 1))
        sql = "SELECT 1 FROM jobs WHERE id = ? AND state = 'queued' AND message = 'waits for 1 GPU'"
        until(lambda: other.execute(sql, (waiting,)).fetchone())
        assert gpus.take(1, load().general) is None
        assert ended(store, job)["state"] == "done"
        assert ended(other, waiting)["state"] == "done"  # once the first runner's engine has been idle for a while


def test_a_killed_runner_leaves_no_gpu_locked(folder: Path, two: list[str]) -> None:
    with queued(folder, long(gpus=2)) as (store, (job,)):
        pid = next(iter(until(lambda: store.execute(HOSTS).fetchall())))["pid"]
        runner = store.execute("SELECT pid FROM runner").fetchone()[0]
        os.kill(runner, 9)
        until(lambda: not Path(f"/proc/{pid}").exists())
        assert ended(store, job)["state"] == "done"
    stop_runner(folder / "runs.db")
    lease = gpus.take(2, load().general)
    assert lease is not None and lease.names == two
    assert gpus.take(1, load().general) is None
    lease.release()


def test_a_store_opens_without_any_gpu(tmp_path: Path) -> None:
    assert connect(tmp_path / "runs.db", "user").execute("SELECT count(gpus) FROM jobs").fetchone()[0] == 0
    ensure_runner(tmp_path / "runs.db")
    stop_runner(tmp_path / "runs.db")


def test_replicas_have_gpus_of_their_own_and_what_is_too_much_is_refused(folder: Path, two: list[str]) -> None:
    with queued(folder, long(replicas=2, gpus=1), long(replicas=3, seed=1)) as (store, (job, greedy)):
        pids = until(lambda: len(found := store.execute(HOSTS).fetchall()) == 2 and [row["pid"] for row in found])
        assert sorted(str(seen(pid)) for pid in pids) == two
        assert ended(store, job)["state"] == "done"
        assert ended(store, greedy)["error"] == "It needs 3 GPUs (3 replicas of 1), and there are 2."
        assert store.execute("SELECT count(*) FROM responses WHERE job_id = ? AND state = 'done'", (job,)).fetchone()[0] == 6
