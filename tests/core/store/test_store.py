"""Opening the store: who may, and what is said to those who may not."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlite_utils import Database

from core.errors import LeaseLost, StoreError, StoreFull, StoreNewer
from core.files.content import sha256
from core.store import connection as store
from core.store.joins import JOBS
from core.store.runner_store import RunnerStore
from core.store.schema import VERSION_OF_STEPS, steps
from core.store.snapshot import runner
from core.store.watch import read


def test_a_new_store_is_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    opened = store.connect(path, "user")
    assert path.stat().st_mode & 0o777 == 0o600
    assert opened.execute("PRAGMA user_version").fetchone()[0] == store.SCHEMA_VERSION == VERSION_OF_STEPS
    assert opened.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert read(store.connect(path, "reader")).jobs == ()


def test_readers_cannot_write(tmp_path: Path) -> None:
    store.connect(tmp_path / "runs.db", "user").close()
    reader = store.connect(tmp_path / "runs.db", "reader")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM jobs")


def test_a_reader_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.connect(tmp_path / "runs.db", "reader")
    assert not (tmp_path / "runs.db").exists()


def test_a_newer_store_is_read_but_not_written(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store.connect(path, "user").execute("PRAGMA user_version = 99")
    with pytest.raises(StoreNewer, match="newer lrm-tui"):
        store.connect(path, "user")
    assert read(store.connect(path, "reader")).finished_responses == 0


@pytest.mark.parametrize("role", ["user", "reader"])
def test_an_older_store_is_brought_up_to_date(tmp_path: Path, role: store.Role) -> None:
    path = tmp_path / "runs.db"
    older = Database(str(path))
    steps.apply(older, stop_before="0002_no_lease_until")
    older.execute("PRAGMA user_version = 1")
    older.execute("INSERT INTO models (id, name, source, format, family) VALUES (1, 'pocket', '/m', 'hf', 'pocket')")
    older.conn.commit()
    older.close()
    opened = store.connect(path, role)
    assert [tuple(row) for row in opened.execute("SELECT name FROM models")] == [("pocket",)]
    assert "lease_until" not in [row["name"] for row in opened.execute("PRAGMA table_info(jobs)")]
    assert opened.execute("PRAGMA user_version").fetchone()[0] == store.SCHEMA_VERSION


def test_a_damaged_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    path.write_bytes(b"this is no database, but somebody's file\n" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="damaged"):
        store.connect(path, "user")
    assert path.read_bytes() == before


def test_folders_that_cannot_hold_a_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        store.connect(tmp_path / "nowhere" / "runs.db", "user")
    with pytest.raises(StoreError):
        store.connect(Path("/proc/runs.db"), "user")


def test_network_file_systems_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "file_system", lambda _path: "nfs4")
    with pytest.raises(StoreError, match="network file system"):
        store.connect(tmp_path / "runs.db", "user")


def test_an_old_runner_writes_nothing(tmp_path: Path) -> None:
    old, new = RunnerStore(tmp_path / "runs.db"), RunnerStore(tmp_path / "runs.db")
    old.take_over(0.0)
    new.take_over(0.0)
    with pytest.raises(LeaseLost):
        old.notice("info", "too late")
    new.notice("info", "mine")
    assert [n.message for n in read(new.connection).notices] == ["mine"]
    assert runner(new.connection).alive


@pytest.mark.parametrize("replaced", [True, False])
def test_a_runner_whose_file_was_taken_away_writes_into_no_ghost(tmp_path: Path, replaced: bool) -> None:
    runner = RunnerStore(tmp_path / "runs.db")
    runner.take_over(0.0)
    (tmp_path / "runs.db").rename(tmp_path / "away.db")
    if replaced:
        (tmp_path / "runs.db").write_bytes(b"")
    with pytest.raises(LeaseLost, match="replaced"):
        runner.notice("info", "to nobody")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """A store on a file system of 2 MB: the write that does not fit is refused whole, what was there stays."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", tmp_path], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        path = tmp_path / "runs.db"
        opened = RunnerStore(path)
        opened.take_over(0.0)
        opened.notice("info", "kept")
        with pytest.raises(StoreFull, match="full"):
            for _ in range(1000):
                opened.notice("info", "x" * 50_000)
        count = len(read(opened.connection).notices)
        (tmp_path / "room").unlink(missing_ok=True)
        assert count >= 1
        assert opened.connection.execute("SELECT message FROM notices ORDER BY id LIMIT 1").fetchone()[0] == "kept"
        assert opened.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        opened.connection.close()
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


def test_two_processes_may_make_the_store_at_once(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from core.store.connection import connect; connect(Path(sys.argv[1]), 'user')"
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "runs.db")], cwd=Path(__file__).parents[3])
        for _ in range(3)
    ]
    assert [child.wait(60) for child in children] == [0, 0, 0]


def test_runs_of_a_source_that_changed_are_doubtful(tmp_path: Path) -> None:
    """An older store kept one row a name: what is known to have changed is marked, what is the same is not."""
    path = tmp_path / "runs.db"
    folders = {name: tmp_path / name / "x" for name in ("same", "moved", "written", "two")}
    for number, folder in enumerate(folders.values()):
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(bytes([number]))
    older = Database(str(path))
    steps.apply(older, stop_before="0011_artifacts_variants_protocols")
    older.execute("PRAGMA user_version = 10")
    for number, (name, folder) in enumerate(folders.items(), 1):
        source, read = (folder, folder) if name != "moved" else (folder, folders["same"])
        older.execute(
            "INSERT INTO models (id, name, source, format, family) VALUES (?, ?, ?, 'hf', 'f')", (number, name, str(source))
        )
        digest = "other" if name == "written" else sha256(read)
        older.execute(
            "INSERT INTO variants (id, model_id, compression, format, path, sha256, ready_at) VALUES (?, ?, 'none', 'hf', ?, ?, 1)",
            (number, number, str(read), digest),
        )
        older.execute(
            "INSERT INTO jobs (id, kind, state, position, variant_id, benchmark, engine, sampling, created) "
            "VALUES (?, 'run', 'done', 1, ?, 'aime', 'transformers', '{\"top_p\": 0.95, \"temperature\": 0.6}', 1)",
            (number, number),
        )
    made = tmp_path / "x-sparsegpt-50"
    Path(f"{made}.json").write_text('{"model_sha256": "of other weights"}')
    older.execute(
        "INSERT INTO variants (id, model_id, compression, format, path, ready_at) VALUES (5, 4, 'p', 'hf', ?, 1)", (str(made),)
    )
    older.conn.commit()
    older.close()
    with store.opened(path, "user") as opened:
        doubts = {row["name"]: row["doubt"] for row in opened.execute(f"SELECT m.name, j.doubt FROM {JOBS} ORDER BY j.id")}
        sampling = {row[0] for row in opened.execute("SELECT sampling FROM jobs")}
        (notice,) = [row["message"] for row in opened.execute("SELECT message FROM notices")]
    assert doubts["same"] is None and "was read from" in doubts["moved"]
    assert "was written after it was measured" in doubts["written"] and "different weights" in doubts["two"]
    assert sampling == {'{"temperature": 0.6, "top_p": 0.95}'}
    assert "it had schema 10" in notice and "runs.schema-10.db" in notice
    with sqlite3.connect(tmp_path / "runs.schema-10.db") as kept:
        assert (
            kept.execute("PRAGMA user_version").fetchone()[0] == 10
            and kept.execute("SELECT count(*) FROM jobs").fetchone()[0] == 4
        )


def test_an_older_store_stays_as_it_is_without_room_for_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs.db"
    older = Database(str(path))
    steps.apply(older, stop_before="0011_artifacts_variants_protocols")
    older.execute("PRAGMA user_version = 10")
    older.execute("INSERT INTO models (id, name, source, format, family) VALUES (1, 'm', '/m', 'hf', 'm')")
    older.execute("INSERT INTO variants (id, model_id, compression, format) VALUES (1, 1, 'none', 'hf')")
    older.execute("INSERT INTO jobs (kind, position, variant_id, created) VALUES ('prepare', 1, 1, 1)")
    older.conn.commit()
    older.close()
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(StoreFull, match="no room for a copy"):
        store.connect(path, "user")
    with sqlite3.connect(path) as untouched:
        assert untouched.execute("PRAGMA user_version").fetchone()[0] == 10
    monkeypatch.setenv("LRM_UPGRADE_WITHOUT_COPY", "1")
    store.connect(path, "user").close()
    assert not list(tmp_path.glob("*.schema-*"))
