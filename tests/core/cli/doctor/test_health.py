"""doctor finds each state that can cost a night, and says what to do."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.cli.doctor import runner as health_runner
from core.cli.doctor import store as health
from core.cli.doctor.finding import Finding
from core.cli.doctor.store import states
from core.files.locks import is_locked, try_lock
from core.jobs import queue
from core.runner.client import ensure_runner, status, stop_runner
from core.runner.processes import VARIABLE, run_id
from core.spec import RunSpec, Sampling
from core.store import connection as store
from core.store import integrity
from core.store.connection import connect, runner_lock, work_folder
from core.store.runner_store import RunnerStore


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


HOLDER = """
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("BEGIN"); c.execute("SELECT count(*) FROM notices").fetchone()
print("held", flush=True); sys.stdin.read()
"""


def test_a_reader_who_lets_the_log_grow(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LONG_BYTES", 2**20)
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        runner = RunnerStore(path)
        runner.take_over(0.0)
        runner.connection.execute("INSERT INTO notices (at, level, message) VALUES (0, 'info', ?)", ["x" * 2**21])
        finding = bad(path)["log"]
        assert f"{holder.pid}. End that one." in finding.remedy
        assert sqlite3.sqlite_version in finding.detail
        holder.kill()


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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_of_another_user(path: Path) -> None:
    os.chown(work_folder(path).parent, 12345, -1)
    finding = bad(path)["private"]
    assert "belong to another user" in finding.detail and ".lrm-tui" in finding.detail


KEY = "sk-canary-31337-do-not-keep"


@pytest.mark.parametrize("place", ["text", "log"])
def test_a_key_that_was_stored(path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """As where a server repeats it in an answer."""
    monkeypatch.setenv("SOME_API_KEY", KEY)
    assert found(path)["secrets"].ok
    if place == "text":
        with closing(connect(path, "user")) as c:
            c.execute("INSERT INTO notices (at, level, message) VALUES (0, 'info', ?)", (f"You said {KEY}.",))
    else:
        (work_folder(path) / "logs").mkdir(parents=True)
        (work_folder(path) / "logs" / "host-1.log").write_text(f"GET / {KEY}\n")
    finding = bad(path)["secrets"]
    assert "SOME_API_KEY" in finding.detail and KEY not in finding.detail + finding.remedy
    assert ("notices" if place == "text" else "host-1.log") in finding.detail


def test_models_whose_own_code_may_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRM_TRUSTED_MODELS", "/models/odd")
    finding = bad(path)["models' own code"]
    assert "/models/odd" in finding.detail and "trusted_models" in finding.remedy


def test_settings_that_do_not_hold(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRM_SILENCE_S", "soon")
    assert "LRM_SILENCE_S" in bad(path)["settings"].detail


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


def test_an_engine_that_listens_to_everybody(path: Path) -> None:
    work_folder(path).mkdir(parents=True, exist_ok=True)
    runner_lock(path).touch(0o600)
    code = (
        "import socket, sys; s = socket.create_server(('0.0.0.0', 0)); print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    environment = {**os.environ, VARIABLE: run_id(runner_lock(path), 1, 1)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as engine:
        assert engine.stdout is not None
        port = int(engine.stdout.readline())
        assert f"0.0.0.0:{port} ({engine.pid})" in bad(path)["listening"].detail


@pytest.fixture
def silent(path: Path) -> Iterator[int]:
    """Somebody who holds the runner's lock and has not written for long; the number in the store's row is this process's."""
    runner = RunnerStore(path)
    runner.take_over(0.0)
    runner.connection.execute("UPDATE runner SET beat = 0")
    runner.connection.close()
    holder = os.fork()
    if holder == 0:
        try_lock(runner_lock(path))
        time.sleep(60)
        os._exit(0)
    deadline = time.monotonic() + 10
    while not is_locked(runner_lock(path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    yield holder
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)


def test_a_runner_that_hangs(path: Path, silent: int) -> None:
    finding = bad(path)["runner"]
    assert "holds the store and has been silent" in finding.detail and f"kill -CONT {os.getpid()}" in finding.remedy


def test_a_runner_that_waits_for_its_store(path: Path, silent: int) -> None:
    """As for a quota: it says so every two seconds, which an old word of a hung one is not taken for."""
    log = work_folder(path) / "runner.log"
    log.write_text("2026-01-01 lrm.runner Writing runs.db failed (disk I/O error). Check the disk and its free space.\n")
    finding = bad(path)["runner"]
    assert "it says:" in finding.detail and "Check the disk" in finding.detail and "by itself" in finding.remedy
    os.utime(log, (0, 0))
    assert "kill -KILL" in bad(path)["runner"].remedy


def _queue(path: Path) -> None:
    spec = RunSpec("pocket", "none", "pocket-facts", "llama.cpp", Sampling(), limit=1)
    with closing(connect(path, "user")) as connection:
        queue.add(connection, [spec])


def test_jobs_that_wait_for_a_runner(path: Path) -> None:
    """As after the runner and its supervisor were killed together, or the machine was started again."""
    _queue(path)
    finding = bad(path)["runner"]
    assert "none serves, and 2 jobs wait" in finding.detail and "lrm-tui runner start" in finding.remedy


def test_a_runner_that_died_and_will_be_brought_back(path: Path) -> None:
    lock = try_lock(work_folder(path) / "supervisor.lock")
    assert lock is not None
    try:
        finding = bad(path)["runner"]
        assert "its supervisor waits before the next try" in finding.detail and "runner.log" in finding.remedy
    finally:
        os.close(lock)


@pytest.fixture
def serving(path: Path) -> Iterator[None]:
    ensure_runner(path)
    deadline = time.monotonic() + 60
    while not status(path).alive and time.monotonic() < deadline:
        time.sleep(0.1)
    yield
    stop_runner(path)


def test_a_runner_that_serves_listens_nowhere(path: Path, serving: None) -> None:
    seen = found(path)
    assert "serves, and its supervisor brings it back" in seen["runner"].detail
    assert seen["listening"].detail == "at no address"


def test_a_runner_whom_nobody_would_bring_back(path: Path, monkeypatch: pytest.MonkeyPatch, serving: None) -> None:
    monkeypatch.setattr(health_runner, "is_supervised", lambda _path: False)  # it is for half a second only
    assert "nobody would bring it back" in bad(path)["runner"].detail


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
