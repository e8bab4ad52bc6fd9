"""A file that is damaged, cut off, another program's, or newer is never written to, and the refusal says what to do."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from core.errors import LrmError, StoreDamaged, StoreNewer
from core.runner.client import ensure_runner
from core.store import integrity
from core.store.connection import connect
from core.store.watch import read


def spoiled(path: Path, kind: str) -> None:
    """A store with a few hundred rows, closed, then damaged in one way."""
    with closing(connect(path, "user")) as made:
        rows = ((1.0, "info", f"message {number} " * 50) for number in range(300))
        made.executemany("INSERT INTO notices (at, level, message) VALUES (?, ?, ?)", rows)
    data = bytearray(path.read_bytes())
    if kind == "cut off":
        data = data[: len(data) // 2]
    elif kind == "noise":
        data[8192:-8192] = b"\xa5" * len(data[8192:-8192])
    elif kind == "no database":
        data[:16] = b"PK\x03\x04 not sqlite"
    path.write_bytes(data)
    integrity._sound.clear()


@contextmanager
def untouched(path: Path) -> Iterator[None]:
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    yield
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


@pytest.mark.parametrize("kind", ["cut off", "noise", "no database"])
def test_a_damaged_file_stays_as_it_is(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "runs.db"
    spoiled(path, kind)
    with untouched(path):
        for role in ("user", "runner"):
            with pytest.raises(StoreDamaged, match=r"damaged") as caught:
                connect(path, role)  # type: ignore[arg-type]
            assert "backup" in caught.value.remedy
        with pytest.raises(LrmError, match="damaged"):
            ensure_runner(path)


@pytest.mark.parametrize("version", [0, 3, 5])
def test_another_programs_database_stays_as_it_is(tmp_path: Path, version: int) -> None:
    path = tmp_path / "places.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
        other.execute(f"PRAGMA user_version = {version}")
        other.commit()
    with untouched(path):
        for role in ("reader", "user", "runner"):
            with pytest.raises(StoreDamaged, match="another program") as caught:
                connect(path, role)  # type: ignore[arg-type]
            assert "--db" in caught.value.remedy


def test_a_newer_store_is_read_and_never_written(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with closing(connect(path, "user")) as made:
        made.execute("INSERT INTO notices (at, level, message) VALUES (1, 'info', 'kept')")
        made.execute("PRAGMA user_version = 99")
    with untouched(path):
        with pytest.raises(StoreNewer, match="newer") as caught:
            connect(path, "user")
        assert "Update" in caught.value.remedy
        with pytest.raises(LrmError, match="newer"):
            ensure_runner(path)
        with closing(connect(path, "reader")) as reader:
            assert [notice.message for notice in read(reader).notices] == ["kept"]
