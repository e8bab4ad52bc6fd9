"""Disks that are full or cannot be written: the real runner and the real commands on small file systems of their own."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import pyte
import pytest

from core.runner.client import ensure_runner, status
from core.store.connection import connect, work_folder
from tests.e2e.kill import LRM, check, finished, left_behind, stored
from tests.helpers.ready_model import ready_model
from tests.helpers.runs import REPOSITORY, lrm, wait_for_text
from tests.helpers.waiting import until

ROOM = "16m"  # the pocket model in two formats takes 4 MB, the store less
QUESTIONS = 40
BENCHMARKS = ("--benchmark", "pocket-facts", "--benchmark", "pocket-logic")
REMEDY = "Choose a folder that you may write with --db or LRM_DB."
QUIT = b"\x11"
FACTS = ("--benchmark", "pocket-facts", "--limit", "2")
RUN = ("add", "--model", "pocket", *FACTS)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system in memory at `folder`, taken away with every process that still works there."""
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", folder], capture_output=True).returncode
    ):
        pytest.skip("mounting a small file system is not allowed here")
    try:
        yield folder
    finally:
        for pid in left_behind(folder / "runs.db"):
            os.kill(pid, signal.SIGKILL)
        subprocess.run(["umount", "-l", folder], check=True)


def lock(folder: Path) -> None:
    """Let nothing be written on a disk any more."""
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)


def fill(file: Path) -> None:
    """Eat every free byte of a disk."""
    with file.open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(4096))
    assert shutil.disk_usage(file.parent).free == 0


@pytest.mark.parametrize("killed", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_run_goes_on_after_the_disk_was_full(tmp_path: Path, killed: bool) -> None:
    """Filled in the middle of a run: the runner waits, even one that is killed meanwhile, and ends the run when there is room."""
    with small_disk(tmp_path) as disk, closing(_begun(disk)) as connection:
        filler, log = disk / "filler", work_folder(disk / "runs.db") / "runner.log"
        runner = _runner(connection)
        fill(filler)
        until(lambda: log.read_text().count("is full") >= 2)
        if killed:
            os.kill(runner, signal.SIGKILL)
            until(lambda: _workers(disk) - {runner})  # the log may have no room to tell of it
            time.sleep(2.0)
        before, begun = finished(connection), stored(connection)
        assert 0 < len(before) < 2 * QUESTIONS
        assert "pocket-facts" in lrm(disk, "ls")
        assert len(lrm(disk, *RUN, code=1).splitlines()) == 1

        filler.unlink()
        until(lambda: not connection.execute("SELECT 1 FROM jobs WHERE state IN ('queued', 'running')").fetchone())
        check(connection, before, begun)
        sql = "SELECT count(*), count(DISTINCT item_id), sum(state = 'done') FROM responses GROUP BY job_id"
        assert [tuple(row) for row in connection.execute(sql)] == [(QUESTIONS,) * 3] * 2
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        told = [row[0] for row in connection.execute("SELECT message FROM notices")]
        assert f"Went on after: The disk of {disk / 'runs.db'} is full." in told
        assert (_runner(connection) == runner) is not killed
        assert "Traceback" not in log.read_text()


def test_doctor_explains_a_full_disk_and_a_runner_that_waits_for_room(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk, closing(_begun(disk)) as connection:
        fill(disk / "filler")
        path, pid = disk / "runs.db", _runner(connection)
        until(lambda: not status(path).alive)
        said = lrm(disk, "doctor", code=1)
        assert f"disk: 0 GiB free at {disk}  -> Free some space." in said
        assert re.search(
            rf"FAIL runner: {pid} holds the store and has been silent for \d+ s: the disk is full  -> Free some", said
        )
        (disk / "filler").unlink()
        until(lambda: status(path).alive)
        assert f"{pid} serves" in lrm(disk, "doctor")


def _begun(disk: Path) -> sqlite3.Connection:
    """A store on the disk whose first responses have just been finished."""
    lrm(disk, "add", "--model", ready_model(), *BENCHMARKS, "--limit", str(QUESTIONS))
    connection = connect(disk / "runs.db", "reader")
    until(lambda: finished(connection))
    return connection


def _workers(disk: Path) -> set[int]:
    """The runners of the store on the disk."""
    found = set()
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "core.runner" in line and "--serve" in line and str(disk / "runs.db") in line:
            found.add(process.pid)
    return found


def _runner(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT pid FROM runner").fetchone()[0])


def test_a_job_whose_log_finds_no_room_fails_alone(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        connect(disk / "runs.db", "user").close()
        ensure_runner(disk / "runs.db")
        inodes = os.statvfs(disk)  # the store's extended attribute counts too
        subprocess.run(["mount", "-o", f"remount,nr_inodes={inodes.f_files - inodes.f_ffree}", disk], check=True)
        said = lrm(disk, "add", "--model", ready_model(), *FACTS, "--wait", code=1)
        assert "No space left on device" in said and "Free some space, then requeue." in said
        assert status(disk / "runs.db").alive


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store with a finished run on a disk that cannot be written any more."""
    with small_disk(tmp_path_factory.mktemp("locked")) as disk:
        lrm(disk, "add", "--model", ready_model(), *FACTS, "--wait")
        lrm(disk, "runner", "stop")
        until(lambda: not left_behind(disk / "runs.db"))
        lock(disk)
        yield disk / "runs.db"


@pytest.mark.parametrize("command", ["ls", "scores", "show 2"])
def test_a_read_only_store_is_read(locked: Path, tmp_path: Path, command: str) -> None:
    assert "pocket" in lrm(tmp_path, *command.split(), "--db", str(locked))


@pytest.mark.parametrize("command", [RUN, ("cancel", "2"), ("runner", "start"), ("demo", "--headless")], ids=" ".join)
def test_what_would_write_a_read_only_store_says_so(locked: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    said = lrm(tmp_path, *command, "--db", str(locked), code=1)
    assert said == f"lrm-tui: The store {locked} cannot be written. {REMEDY}\n"
    assert not list(tmp_path.iterdir())


def test_a_store_cannot_be_made_on_a_read_only_disk(locked: Path, tmp_path: Path) -> None:
    missing = locked.with_name("missing.db")
    assert lrm(tmp_path, *RUN, "--db", str(missing), code=1) == f"lrm-tui: The store {missing} cannot be written. {REMEDY}\n"
    assert lrm(tmp_path, "ls", "--db", str(missing), code=2).startswith(f"lrm-tui: There is no store {missing}.")
    assert not list(tmp_path.iterdir())


def test_doctor_explains_a_read_only_disk(locked: Path, tmp_path: Path) -> None:
    said = lrm(tmp_path, "doctor", "--db", str(locked), code=1)
    assert f"FAIL folder: {locked.parent} (tmpfs) cannot be written  -> Name a store in a folder that you may write" in said


@pytest.mark.parametrize(("name", "shown"), [("runs.db", "pocket-facts"), ("missing.db", "There is no store yet")])
def test_the_app_opens_on_a_read_only_disk(locked: Path, name: str, shown: str) -> None:
    """It shows what is there, offers no traceback, and ends with code 0."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(REPOSITORY)}
    command = [*LRM, "--db", str(locked.with_name(name))]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True)
    os.close(theirs)
    screen = pyte.Screen(80, 24)
    try:
        wait_for_text(ours, pyte.ByteStream(screen), screen, shown)
        os.write(ours, QUIT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        os.close(ours)


def test_a_log_that_a_kill_left_is_read_on_a_read_only_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        _write(disk / "runs.db", "os._exit(0)")
        lock(disk)
        with closing(connect(disk / "runs.db", "reader")) as connection:
            assert connection.execute("SELECT message FROM notices").fetchone()[0] == "written"


def test_a_wish_does_not_cut_off_the_readers_of_its_process(tmp_path: Path) -> None:
    """A screen reads on after it has written: its store is not taken for closed by whoever closes it next."""
    path = tmp_path / "runs.db"
    connect(path, "user").close()
    with closing(connect(path, "reader")) as reader:
        for count in (1, 2):
            connect(path, "user").close()
            _write(path, "connection.close()")
            assert reader.execute("SELECT count(*) FROM notices").fetchone()[0] == count


def _write(path: Path, then: str) -> None:
    """Write one notice from a process of its own, which ends as it is told."""
    insert = "connection.execute(\"INSERT INTO notices (at, level, message) VALUES (0, 'info', 'written')\")"
    code = f"import os, sys, pathlib, core.store.connection as c; connection = c.connect(pathlib.Path(sys.argv[1]), 'user'); {insert}; {then}"
    subprocess.run([sys.executable, "-c", code, path], cwd=REPOSITORY, check=True)
