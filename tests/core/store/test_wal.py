"""The write-ahead log stays short while somebody always reads, and users hear who never lets go."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from core.store import wal
from core.store.connection import connect
from core.store.runner_store import RunnerStore
from core.store.wal import log_of, size, users

MIB = 2**20
HOLDER = """
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("BEGIN"); c.execute("SELECT count(*) FROM notices").fetchone()
print("held", flush=True); sys.stdin.read()
"""


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunnerStore:
    monkeypatch.setattr(wal, "SHORT_BYTES", MIB)
    monkeypatch.setattr(wal, "BACKLOG_BYTES", 4 * MIB)
    monkeypatch.setattr(wal, "LONG_BYTES", 8 * MIB)
    monkeypatch.setattr(wal, "EVERY_S", 0.05)
    opened = RunnerStore(tmp_path / "runs.db")
    opened.take_over(0.0)
    opened.connection.execute("PRAGMA synchronous = OFF")  # as many writes as a real disk takes in minutes
    return opened


def write(runner: RunnerStore, megabytes: int, pause_s: float = 0.0) -> int:
    """Write so much, in ticks with a pause between. Returns the largest size of the log on the way."""
    largest = 0
    for _ in range(megabytes * 4):
        with runner.fenced() as connection:
            connection.execute("INSERT INTO notices (at, level, message) VALUES (0, 'info', ?)", ["x" * (MIB // 4)])
        runner.tick(0, [], [], [], {}, None)
        time.sleep(pause_s)
        largest = max(largest, size(log_of(runner.path)))
    return largest


def test_readers_who_always_overlap_do_not_make_it_grow(runner: RunnerStore) -> None:
    """Each of two begins before the other ends, so that there is no moment without a reader."""
    ended, turns = threading.Event(), [threading.Event(), threading.Event()]

    def read(mine: int) -> None:
        with closing(connect(runner.path, "reader")) as connection:
            while not ended.is_set():
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM notices").fetchone()
                turns[mine].set()
                turns[1 - mine].wait(0.02)
                turns[1 - mine].clear()
                connection.execute("ROLLBACK")

    readers = [threading.Thread(target=read, args=(number,)) for number in (0, 1)]
    for reader in readers:
        reader.start()
    try:
        assert write(runner, 40, pause_s=0.01) < 16 * MIB
    finally:
        ended.set()
        for reader in readers:
            reader.join()


def test_who_never_lets_go_is_named_and_the_log_is_taken_in_afterwards(runner: RunnerStore) -> None:
    command = [sys.executable, "-c", HOLDER, str(runner.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        assert (holder.pid, Path(f"/proc/{holder.pid}/comm").read_text().strip()) in users(runner.path)
        assert os.getpid() not in dict(users(runner.path))
        assert not runner.log_backlog
        assert write(runner, 12) > 8 * MIB
        assert runner.log_backlog
        told = runner.connection.execute("SELECT message, remedy FROM notices WHERE level = 'warning'").fetchall()
        assert len(told) == 1 and str(holder.pid) in told[0]["remedy"] and "reads it without a pause" in told[0]["message"]
        holder.kill()
    time.sleep(wal.EVERY_S)
    write(runner, 1)
    assert size(log_of(runner.path)) < 4 * MIB and not runner.log_backlog
