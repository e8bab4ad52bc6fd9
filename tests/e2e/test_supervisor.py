"""The runner comes back by itself, its supervisor too, and both are gone when the user says so."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from core.files.locks import try_lock
from core.runner.client import ensure_runner, status, stop_runner
from core.runner.processes import wait_until_gone
from core.runner.supervisor import QUICK_RESTARTS, Supervisor, is_supervised
from core.store import connection as store
from core.store.connection import connect, runner_lock
from tests.e2e.kill import left_behind
from tests.helpers.waiting import until


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Path]:
    """A store without work, and a runner that serves it."""
    path = tmp_path / "runs.db"
    connect(path, "user").close()
    ensure_runner(path)
    until(lambda: status(path).alive)
    yield path
    stop_runner(path)
    assert left_behind(path) == []


def kill(path: Path) -> int:
    """Kill the runner and wait until another one serves. Returns the new one."""
    pid = status(path).pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: status(path).alive and status(path).pid != pid)
    return status(path).pid or 0


def notices(path: Path) -> list[tuple[str, str]]:
    with closing(connect(path, "reader")) as connection:
        return [tuple(row) for row in connection.execute("SELECT message, remedy FROM notices ORDER BY id")]


def supervisors(path: Path) -> list[int]:
    """The processes of this store that are no runners."""
    return [pid for pid in left_behind(path) if "--serve" not in psutil.Process(pid).cmdline()]


def test_a_killed_runner_is_back_with_nobody_there(served: Path) -> None:
    runner = kill(served)
    assert notices(served)[-1] == ("The runner was killed by SIGKILL; it is started again.", "")
    (supervisor,) = supervisors(served)
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: supervisors(served) not in ([], [supervisor]) and is_supervised(served))
    assert status(served).pid == runner
    assert len(supervisors(served)) == 1
    kill(served)
    assert len(supervisors(served)) == 1


def test_a_stop_waits_for_a_store_that_is_held(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As while a long log is taken in."""
    monkeypatch.setattr(store, "BUSY_TIMEOUT_S", 0.2)
    with closing(sqlite3.connect(served, isolation_level=None, check_same_thread=False)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        release = threading.Timer(2.0, holder.execute, ["ROLLBACK"])
        release.start()
        assert stop_runner(served)
        release.join()


def test_a_second_start_changes_nothing(served: Path) -> None:
    before = sorted(left_behind(served))
    assert ensure_runner(served) == status(served).pid
    assert sorted(left_behind(served)) == before and len(before) == 2


def test_a_store_may_be_named_from_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner itself stands elsewhere."""
    monkeypatch.chdir(tmp_path)
    here = Path("runs.db")
    connect(here, "user").close()
    ensure_runner(here)
    until(lambda: status(tmp_path / here).alive)
    assert stop_runner(here)
    assert left_behind(tmp_path / here) == []


def test_a_start_takes_no_runner_for_alive_that_has_just_died(tmp_path: Path) -> None:
    """The one that comes after it holds the lock already, and is not in the store yet."""
    path = tmp_path / "runs.db"
    connect(path, "user").close()
    dead = subprocess.Popen(["true"])
    dead.wait()
    said = "UPDATE runner SET pid = ?, beat = ?, state = 'serving'"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        connection.execute(said, (dead.pid, time.time()))
        locks = [try_lock(runner_lock(path)), Supervisor(path).lock]
        threading.Timer(0.5, lambda: connection.execute(said, (os.getpid(), time.time()))).start()
        assert status(path).alive
        assert ensure_runner(path) == os.getpid()
    for lock in locks:
        os.close(lock or 0)


def test_a_terminated_supervisor_takes_the_runner_along(served: Path) -> None:
    (supervisor,) = supervisors(served)
    os.kill(supervisor, signal.SIGTERM)
    assert wait_until_gone(supervisor, 60)
    assert left_behind(served) == [] and notices(served) == []


def test_a_runner_that_dies_again_and_again_is_started_ever_later(served: Path) -> None:
    """It says so, a start tries at once, and a stop ends a supervisor that waits."""
    for _ in range(QUICK_RESTARTS):
        kill(served)
    os.kill(status(served).pid or 0, signal.SIGKILL)
    until(lambda: "6 deaths in a row without progress" in notices(served)[-1][0])
    assert "lrm-tui runner stop" in notices(served)[-1][1]
    ensure_runner(served)
    os.kill(status(served).pid or 0, signal.SIGKILL)
    until(lambda: "7 deaths in a row" in notices(served)[-1][0])
    assert not status(served).alive and is_supervised(served)
    assert stop_runner(served)
    assert not is_supervised(served)
