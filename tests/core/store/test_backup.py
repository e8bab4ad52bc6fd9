"""A backup is one moment of a store under way, whole, private, and never in place of another file."""

from __future__ import annotations

import os
import stat
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import LrmError, UsageError
from core.store.backup import backup
from core.store.connection import connect
from core.store.runner_store import RunnerStore
from tests.core.store.test_damage import spoiled, untouched


def test_a_live_store_is_copied_as_of_one_moment(tmp_path: Path) -> None:
    """Pairs that are written in one transaction are copied in pairs, and what was there before the copy is in it."""
    path = tmp_path / "runs.db"
    runner = RunnerStore(path)
    runner.take_over(0.0)
    for _ in range(50):
        runner.notice("info", "x" * 50_000)
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            with runner.fenced() as connection:
                for half in ("left", "right"):
                    connection.execute("INSERT INTO notices (at, level, message) VALUES (1, 'info', ?)", (half,))
            time.sleep(0.001)

    steps: list[int] = []
    writer = threading.Thread(target=write)
    writer.start()
    try:
        old = os.umask(0)
        copies = [backup(path, tmp_path / f"copy{number}.db", lambda done, _: steps.append(done)) for number in range(3)]
        os.umask(old)
    finally:
        ended.set()
        writer.join()
    for copy in copies:
        with closing(connect(copy, "reader")) as found:
            kinds = dict(found.execute("SELECT substr(message, 1, 1), count(*) FROM notices GROUP BY 1").fetchall())
            assert kinds["x"] == 50 and kinds.get("l") == kinds.get("r")
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert steps
    assert not list(tmp_path.glob(".*.half*"))


def test_a_folder_gets_a_name_and_nothing_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    connect(path, "user").close()
    (tmp_path / "kept").mkdir()
    made = backup(path, tmp_path / "kept")
    assert made.parent == tmp_path / "kept" and made.name.startswith("runs-")
    with untouched(made), pytest.raises(UsageError, match="already"):
        backup(path, made)


@pytest.mark.parametrize("kind", ["cut off", "noise"])
def test_a_damaged_store_leaves_no_copy(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "runs.db"
    spoiled(path, kind)
    with untouched(path), pytest.raises(LrmError):
        backup(path, tmp_path / "copy.db")
    assert [file.name for file in tmp_path.iterdir() if "copy" in file.name] == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    connect(path, "user").close()
    with pytest.raises(LrmError, match="nowhere"):
        backup(path, tmp_path / "nowhere" / "copy.db")
