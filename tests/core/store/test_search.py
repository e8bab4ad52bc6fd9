"""Texts from before the index are taken up in small steps, while new ones come."""

from __future__ import annotations

from pathlib import Path

from sqlite_utils import Database

from core.store import search
from core.store.browse import count
from core.store.connection import connect
from core.store.filters import ResponseFilter
from core.store.schema import steps


def old_store(path: Path, responses: int) -> None:
    """A store of the schema before the index."""
    db = Database(str(path))
    steps.apply(db, stop_before="0006_reading_responses")
    db.execute("PRAGMA user_version = 5")
    db.execute("INSERT INTO models (id, name, source, format, family) VALUES (1, 'm', '/m', 'hf', 'm')")
    db.execute("INSERT INTO variants (id, model_id, compression, format) VALUES (1, 1, 'none', 'hf')")
    db.execute(
        "INSERT INTO jobs (id, kind, state, position, variant_id, benchmark, engine, sampling, created) "
        "VALUES (1, 'run', 'done', 1, 1, 'aime', 'imported', '{}', 1)"
    )
    for number in range(1, responses + 1):
        db.execute("INSERT INTO items VALUES (?, 'aime', ?, 'r', '{}', '[]')", (number, str(number)))
        done = number < responses  # the last one is still under way
        db.execute(
            "INSERT INTO responses (id, job_id, item_id, position, seed, state, finish_reason) VALUES (?, 1, ?, ?, 0, ?, ?)",
            (number, number, number, "done" if done else "active", "stop" if done else None),
        )
        db.execute("INSERT INTO response_texts VALUES (?, '', ?, NULL)", (number, f"word{number} zebra" if done else ""))
    db.conn.commit()
    db.close()


def test_an_older_store_is_indexed_step_by_step(tmp_path: Path, monkeypatch: object) -> None:
    path = tmp_path / "runs.db"
    old_store(path, 40)
    writer = connect(path, "user")
    assert search.left(writer) == 40 and count(writer, ResponseFilter(search="zebra")) == 0, (
        "the migration itself indexes nothing"
    )
    monkeypatch.setattr(search, "STEP_RESPONSES", 15)  # type: ignore[attr-defined]
    assert search.step(writer) == 25
    assert count(writer, ResponseFilter(search="zebra")) == 14 and count(writer, ResponseFilter(search="word26")) == 1, (
        "newest first"
    )
    writer.execute("UPDATE responses SET state = 'done', finish_reason = 'stop' WHERE id = 40")
    writer.execute("UPDATE response_texts SET text = 'zebra late' WHERE response_id = 40")
    writer.execute("UPDATE response_texts SET text = 'zebra changed' WHERE response_id = 5")
    while search.step(writer):
        pass
    assert search.left(writer) == 0 == search.step(writer)
    assert count(writer, ResponseFilter(search="zebra")) == 40
    assert [count(writer, ResponseFilter(search=word)) for word in ("late", "changed", "word5", "word1")] == [1, 1, 0, 1]
    writer.execute("INSERT INTO search (search) VALUES ('integrity-check')")


def test_a_step_is_as_long_as_its_texts_allow(tmp_path: Path, monkeypatch: object) -> None:
    path = tmp_path / "runs.db"
    old_store(path, 10)
    writer = connect(path, "user")
    monkeypatch.setattr(search, "STEP_CHARACTERS", 30)  # type: ignore[attr-defined]
    assert search.step(writer) == 10 - 4, "an empty text and three of eleven characters"


def test_a_new_store_has_nothing_to_take_up(tmp_path: Path) -> None:
    writer = connect(tmp_path / "runs.db", "user")
    assert search.left(writer) == 0 == search.step(writer)
