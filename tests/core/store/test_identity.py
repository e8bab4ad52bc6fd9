"""A store that is moved, linked, copied or named oddly loses nothing, and no two runners or logs share one file."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import LeaseLost, RunnerError, StoreBusy, StoreError
from core.files.locks import is_locked
from core.runner.client import ensure_runner, status, stop_runner
from core.runner.processes import VARIABLE, owner, process_start, run_id
from core.runner.runner import Runner
from core.store.backup import backup
from core.store.connection import connect, opened, runner_lock, work_folder
from core.store.runner_store import RunnerStore
from tests.e2e.kill import check, finished, stored
from tests.helpers.pids import alive
from tests.helpers.runs import ended, queued, spec
from tests.helpers.waiting import until

NOTICE = "INSERT INTO notices (at, level, message) VALUES (1, 'info', ?)"


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A store that a runner serves, with one notice in its log."""
    place = tmp_path / "runs.db"
    connect(place, "user").close()
    ensure_runner(place)
    until(lambda: status(place).alive)
    yield place
    if place.exists():
        stop_runner(place)


def write(place: Path, text: str) -> None:
    with opened(place, "user") as connection:
        connection.execute(NOTICE, (text,))


def stop_between_writes(runner: int, place: Path) -> None:
    """Stop a runner at a moment when it holds no lock of SQLite."""

    def stopped() -> bool:
        os.kill(runner, signal.SIGSTOP)
        try:
            with closing(sqlite3.connect(place, timeout=0.1, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            return True
        except sqlite3.OperationalError:
            os.kill(runner, signal.SIGCONT)
            return False

    until(stopped, 20)


def alone(file: Path) -> list[str]:
    """The notices in a file by itself, without any log."""
    with closing(sqlite3.connect(f"{file.as_uri()}?immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return [row[0] for row in connection.execute("SELECT message FROM notices ORDER BY id")]


def test_an_idle_runner_leaves_nothing_in_the_log_alone(path: Path) -> None:
    write(path, "acknowledged")
    until(lambda: "acknowledged" in alone(path), 10)


@pytest.mark.parametrize("files", [[""], ["", "-wal", "-shm"]])
def test_a_moved_file_is_whole_and_a_new_one_starts_at_its_place(path: Path, tmp_path: Path, files: list[str]) -> None:
    """The runner is stopped while it is moved, so that it cannot have merged the log before."""
    runner = status(path).pid or 0
    stop_between_writes(runner, path)
    write(path, "old")
    moved = tmp_path / "archive.db"
    for suffix in files:
        os.rename(f"{path}{suffix}", f"{moved}{suffix}")
    os.kill(runner, signal.SIGCONT)
    write(path, "new")
    until(lambda: not alive(runner), 20)
    assert alone(moved) == ["old"]
    ensure_runner(path)
    with opened(path, "reader") as connection:
        assert [row[0] for row in connection.execute("SELECT message FROM notices")] == ["new"]
    with opened(moved, "reader") as connection:
        assert connection.execute("SELECT state FROM runner").fetchone()[0] == "stopped"


def test_a_log_that_a_moved_file_left_is_no_new_store_s(tmp_path: Path) -> None:
    """Nobody is there to merge it, so it is kept under another name."""
    path = tmp_path / "runs.db"
    child = "import os, sys; from pathlib import Path; from core.store.connection import connect\n"
    child += f"c = connect(Path(sys.argv[1]), 'user'); c.execute({NOTICE!r}, ('old',)); os._exit(0)"
    subprocess.run([sys.executable, "-c", child, str(path)], check=True)
    log = Path(f"{path}-wal").read_bytes()
    path.rename(tmp_path / "archive.db")
    write(path, "new")
    assert alone(path) == ["new"]
    (kept,) = tmp_path.glob("runs.db-wal.*")
    assert kept.read_bytes() == log
    kept.rename(tmp_path / "archive.db-wal")
    with opened(tmp_path / "archive.db", "reader") as connection:
        assert connection.execute("SELECT message FROM notices").fetchone()[0] == "old"


def test_one_file_of_two_names_has_one_runner_and_one_log(path: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").mkdir()
    second = tmp_path / "linked" / "runs.db"
    os.link(path, second)
    write(path, "acknowledged")
    for role in ("reader", "user"):
        with pytest.raises(StoreError, match="another name"), opened(second, role):  # type: ignore[arg-type]
            pass
    with pytest.raises((StoreError, RunnerError)):
        Runner(second)
    assert not Path(f"{second}-wal").exists()
    stop_runner(path)
    write(second, "later")
    assert alone(second) == ["acknowledged", "later"]


def test_a_second_name_is_refused_where_no_name_can_be_recorded(path: Path, tmp_path: Path) -> None:
    """The lock of the file is enough while a runner serves it."""
    os.removexattr(path, "user.lrm-tui.name")
    os.link(path, tmp_path / "second.db")
    with pytest.raises(StoreError, match="another name"), opened(tmp_path / "second.db", "user"):
        pass


def test_a_copy_ends_nothing_of_its_original(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store = RunnerStore(path)
    store.take_over(0.0)
    work_folder(path).mkdir(parents=True, exist_ok=True)
    runner_lock(path).touch()
    environment = {**os.environ, VARIABLE: run_id(runner_lock(path), 1, 1)}
    with subprocess.Popen(["sleep", "600"], env=environment) as engine:
        try:
            _list_engine(store, engine.pid)
            saved = backup(path, tmp_path / "saved.db")
            store.settle()
            copied = Path(shutil.copy(path, tmp_path / "copied.db"))
            with opened(saved, "reader") as connection:
                assert not connection.execute("SELECT * FROM hosts").fetchall()
                row = connection.execute("SELECT pid, beat, state FROM runner").fetchone()
                assert tuple(row) == (None, None, "stopped")
            ensure_runner(copied)
            assert status(copied).pid != os.getpid()
            assert alive(engine.pid)
            assert stop_runner(copied)
            assert owner(runner_lock(copied)) != owner(runner_lock(path))
        finally:
            engine.kill()


def _list_engine(store: RunnerStore, pid: int) -> None:
    store.connection.execute("PRAGMA foreign_keys = OFF")
    with store.fenced() as connection:
        connection.execute("INSERT INTO hosts (pid, pid_started, token, job_id) VALUES (?, ?, 1, 1)", (pid, process_start(pid)))


def test_a_copy_does_not_take_the_runner_of_its_original_for_its_own(path: Path, tmp_path: Path) -> None:
    """A new runner has the lock before its row is written: until then the row is the original's."""
    copy = tmp_path / "copy.db"
    first = status(path).pid
    shutil.copy(path, copy)
    with opened(copy, "user") as connection:
        connection.execute("UPDATE runner SET pid = ?, beat = ?, state = 'serving'", (first, time.time()))
    runner = Runner(copy)
    assert is_locked(runner_lock(copy))
    assert status(copy).pid is None
    os.close(runner._lock)
    runner.store.connection.close()


def test_no_two_stores_share_a_work_folder(tmp_path: Path) -> None:
    names = ["runs.db", "runs", "runs.bak", "runs.sqlite", "runs.db.db", "runs.bak.db", "runs.db.bak", "db", ".db"]
    assert len({work_folder(tmp_path / name) for name in names}) == len(names)
    assert work_folder(tmp_path / "runs.db") == tmp_path / ".lrm-tui" / "runs"


def test_stores_side_by_side_are_served_each(path: Path) -> None:
    other = path.with_name("runs.bak")
    connect(other, "user").close()
    ensure_runner(other)
    until(lambda: status(other).alive, 20)
    assert status(other).pid != status(path).pid
    assert stop_runner(other) and status(path).alive


def test_a_log_that_is_deleted_under_a_runner_is_merged_and_another_runner_goes_on(tmp_path: Path) -> None:
    with queued(tmp_path, spec(limit=40)) as (store, (job,)):
        until(lambda: len(finished(store)) >= 3)
        first = status(tmp_path / "runs.db").pid
        before, begun = finished(store), stored(store)
        store.close()
        (tmp_path / "runs.db-wal").unlink()
        until(lambda: serving(tmp_path / "runs.db") not in (None, first))
        with closing(connect(tmp_path / "runs.db", "reader")) as again:
            check(again, before, begun)
            assert ended(again, job)["state"] == "done"
            check(again, before, begun)
            assert len(finished(again)) == 40
            assert again.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    log = "".join(path.read_text() for path in (tmp_path / ".lrm-tui").rglob("runner.log"))
    assert "was deleted while a runner served the store" in log and "All that it held was merged" in log


def serving(path: Path) -> int | None:
    """The runner; None in the moment in which the log is neither the old nor a new one."""
    try:
        return status(path).pid if status(path).alive else None
    except StoreBusy as error:
        assert "is not the one that was in use" in error.message
        return None


def test_of_a_log_that_was_replaced_what_the_runner_had_stored_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    runner = RunnerStore(path)
    runner.take_over(0.0)
    runner.notice("info", "not merged yet")
    log = path.with_name("runs.db-wal")
    written = log.read_bytes()
    log.unlink()
    log.write_bytes(b"another's")
    with pytest.raises(LeaseLost, match="was deleted"):
        runner.notice("info", "too late")
    assert "Another log has been begun meanwhile" in runner.save_log()
    (kept,) = tmp_path.glob("runs.db-wal.*")
    assert kept.read_bytes() == written and log.read_bytes() == b"another's"
