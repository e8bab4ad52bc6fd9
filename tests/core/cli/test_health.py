"""doctor finds each state that can cost a night, and says what to do."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core.cli import health
from core.cli.health import Finding, states
from core.launch import ensure_runner, status, stop_runner
from core.processes import VARIABLE, run_id
from core.store import connection as store
from core.store import integrity
from core.store.connection import connect, runner_lock, work_folder
from core.store.locks import try_lock
from core.store.writes import RunnerStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "runs.db"
    connect(file, "user").close()
    return file


def found(path: Path) -> dict[str, Finding]:
    return {finding.check: finding for finding in states(path)}


def bad(path: Path) -> dict[str, Finding]:
    """What is not in order; each says what to do."""
    wrong = {name: finding for name, finding in found(path).items() if not finding.ok}
    assert all(finding.remedy for finding in wrong.values())
    return wrong


def test_a_sound_store_has_nothing_wrong(path: Path) -> None:
    assert bad(path) == {}


def test_a_store_that_is_not_there_yet_is_fine(tmp_path: Path) -> None:
    assert bad(tmp_path / "runs.db") == {}
    assert set(bad(tmp_path / "nowhere" / "runs.db")) >= {"folder"}


def test_a_network_file_system(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "file_system", lambda _path: "nfs4")
    assert "network file system (nfs4)" in bad(path)["store"].detail


def _damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[8192:-4096] = b"\xa5" * len(data[8192:-4096])
    path.write_bytes(data)


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as c:
        c.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(("spoil", "said"), [(_damage, "damaged"), (_newer, "newer lrm-tui")])
def test_a_damaged_or_newer_store(path: Path, spoil: Callable[[Path], None], said: str) -> None:
    spoil(path)
    integrity._sound.clear()
    assert said in bad(path)["store"].detail


def test_a_store_that_somebody_holds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BUSY_TIMEOUT_S", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        assert "held by another process" in bad(path)["writing"].detail


def test_a_limit_on_the_size_of_files(path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**30, hard))
    try:
        assert "1,073,741,824" in bad(path)["file size"].detail
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_files_that_others_may_read(path: Path) -> None:
    path.chmod(0o644)
    assert "runs.db" in bad(path)["private"].detail


def test_engines_that_a_killed_runner_left(path: Path) -> None:
    work_folder(path).mkdir(parents=True, exist_ok=True)
    runner_lock(path).touch(0o600)
    left = subprocess.Popen(["sleep", "60"], env={**os.environ, VARIABLE: run_id(runner_lock(path), 1, 1)})
    try:
        time.sleep(0.2)
        assert str(left.pid) in bad(path)["engines"].detail
    finally:
        left.kill()
        left.wait()


def test_a_runner_that_hangs_and_jobs_without_one(path: Path) -> None:
    runner = RunnerStore(path)
    runner.take_over(0.0)
    runner.connection.execute("UPDATE runner SET beat = 0")
    runner.connection.close()
    lock = os.fork()
    if lock == 0:
        try_lock(runner_lock(path))
        time.sleep(60)
        os._exit(0)
    try:
        time.sleep(0.3)
        assert "holds the store and has been silent" in bad(path)["runner"].detail
    finally:
        os.kill(lock, signal.SIGKILL)
        os.waitpid(lock, 0)


def test_a_runner_that_serves_listens_nowhere(path: Path) -> None:
    ensure_runner(path)
    try:
        deadline = time.monotonic() + 30
        while not status(path).alive and time.monotonic() < deadline:
            time.sleep(0.1)
        seen = found(path)
        assert "serves, and its supervisor brings it back" in seen["runner"].detail
        assert seen["listening"].detail == "at no address"
    finally:
        stop_runner(path)


LOGINCTL = """#!/bin/sh
case "$*" in *KillUserProcesses*) echo {kills};; *Linger*) echo {lingers};; esac
"""


@pytest.mark.parametrize(
    ("kills", "lingers", "inside", "fine"),
    [("no", "no", True, True), ("yes", "no", True, False), ("yes", "yes", True, False), ("yes", "yes", False, True)],
)
def test_sessions_that_end_their_processes(
    path: Path, monkeypatch: pytest.MonkeyPatch, kills: str, lingers: str, inside: bool, fine: bool
) -> None:
    tool = path.parent / "bin" / "loginctl"
    tool.parent.mkdir()
    tool.write_text(LOGINCTL.format(kills=kills, lingers=lingers))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(health, "_in_session", lambda _pid: inside)
    finding = found(path)["logging out"]
    assert finding.ok is fine
    assert fine or "enable-linger" in finding.remedy


def test_what_the_runner_told_lately(path: Path) -> None:
    runner = RunnerStore(path)
    runner.take_over(0.0)
    runner.notice("warning", "The engine of run 3 has given no token for 45 s", "See its log.")
    runner.retire()
    assert "no token for 45 s" in bad(path)["told"].detail
