"""What a run asks: from its files when it is planned, from the store ever after."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlite_utils import Database

from core.errors import DataError
from core.runner.inputs import PromptChanged, inputs
from core.spec import RunJob
from core.store.connection import opened
from core.store.runner_store import RunnerStore
from core.store.schema import steps
from tests.helpers.book import Book
from tests.helpers.jobs import run_job


@pytest.fixture
def book(tmp_path: Path) -> Book:
    write(tmp_path, "first")
    return Book(tmp_path / "runs.db")


@pytest.fixture
def store(book: Book) -> Iterator[RunnerStore]:
    store = RunnerStore(book.path)
    store.take_over(0.0)
    yield store
    store.retire()


def write(folder: Path, wording: str) -> None:
    """The questions and the prompt in a wording."""
    rows = [{"ID": f"q{n}", "Problem": f"{wording} problem {n}", "Answer": n} for n in range(6)]
    (folder / "aime2024.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (folder / "prompts.toml").write_text(f'[aime]\nprompt = "{wording}: {{problem}}"\n', encoding="utf-8")


def add(book: Book, folder: Path, limit: int | None = 4) -> RunJob:
    run = book.run(book.reader.execute("SELECT max(id) FROM variants").fetchone()[0] or book.variant(), "aime", [])
    return run_job(id=run, benchmark="aime", data=folder, prompts=folder / "prompts.toml", limit=limit)


def attempt(store: RunnerStore, job: RunJob) -> list[str]:
    """Plan a run as its runner does; the prompts of what it still has to ask."""
    template, questions = inputs(store, job)
    store.plan(job.id, template, "engine 1", None, questions)
    return [template.fill(pending.fields) for pending in store.pending(job.id)]


def versions(store: RunnerStore, job: RunJob) -> tuple[str, str]:
    row = store.connection.execute("SELECT prompt_version, benchmark_version FROM jobs WHERE id = ?", (job.id,)).fetchone()
    return row[0], row[1]


def test_a_later_attempt_asks_what_the_first_one_planned(tmp_path: Path, book: Book, store: RunnerStore) -> None:
    job = add(book, tmp_path)
    first = attempt(store, job)
    assert first == [f"first: first problem {n}" for n in range(4)]
    known = versions(store, job)
    write(tmp_path, "second")
    assert attempt(store, job) == first and versions(store, job) == known
    (tmp_path / "aime2024.jsonl").unlink()
    (tmp_path / "prompts.toml").unlink()
    assert attempt(store, job) == first and versions(store, job) == known


def test_a_new_run_reads_the_files_anew(tmp_path: Path, book: Book, store: RunnerStore) -> None:
    one, two = add(book, tmp_path), add(book, tmp_path)
    attempt(store, one)
    write(tmp_path, "second")
    assert attempt(store, two) == [f"second: second problem {n}" for n in range(4)]
    assert not set(versions(store, one)) & set(versions(store, two))


def test_runs_that_ask_the_same_share_what_is_kept(tmp_path: Path, book: Book, store: RunnerStore) -> None:
    for _ in range(5):
        attempt(store, add(book, tmp_path, limit=None))
    count = "SELECT (SELECT count(*) FROM items), (SELECT count(*) FROM prompts), (SELECT count(*) FROM responses)"
    assert tuple(store.connection.execute(count).fetchone()) == (6, 1, 30)


def test_a_wording_that_does_not_fit_is_not_kept(tmp_path: Path, book: Book, store: RunnerStore) -> None:
    job = add(book, tmp_path)
    (tmp_path / "prompts.toml").write_text('[aime]\nprompt = "{question}"\n', encoding="utf-8")
    with pytest.raises(DataError, match="does not fit"):
        attempt(store, job)
    write(tmp_path, "mended")
    assert attempt(store, job)[0] == "mended: mended problem 0"


def test_a_run_that_an_older_version_planned_takes_the_files_wording_where_nothing_was_asked(
    tmp_path: Path, book: Book, store: RunnerStore
) -> None:
    job = add(book, tmp_path)
    attempt(store, job)
    store.connection.execute("DELETE FROM prompts")
    write(tmp_path, "second")
    assert attempt(store, job)[0] == "second: first problem 0", "its questions were kept by any version"
    store.connection.execute("DELETE FROM prompts")
    (response, *_) = store.pending(job.id)
    book.insert("response_texts", response_id=response.id, prompt="second: first problem 0", text="")
    assert attempt(store, job)[0] == "second: first problem 0", "the file has the wording that was asked"
    store.connection.execute("DELETE FROM prompts")
    write(tmp_path, "third")
    with pytest.raises(PromptChanged, match="another wording"):
        attempt(store, job)
    with pytest.raises(PromptChanged, match="The default prompt has another wording"):
        attempt(store, replace(job, prompts=None))


def test_runs_of_an_older_store_that_mixed_two_versions_of_their_questions_are_marked(tmp_path: Path) -> None:
    path = tmp_path / "older.db"
    older = Database(str(path))
    steps.apply(older, stop_before="0013_prompts_of_runs")
    older.conn.executescript(
        "PRAGMA user_version = 12; INSERT INTO models (id, name, source, format, family) VALUES (1, 'm', '/m', 'hf', 'm');"
        "INSERT INTO artifacts (id, model_id, compression, format) VALUES (1, 1, 'none', 'hf');"
        "INSERT INTO variants (id, artifact_id) VALUES (1, 1);"
    )
    for run, engine in ((1, "llama.cpp"), (2, "llama.cpp"), (3, "imported")):
        older.execute(
            "INSERT INTO jobs (id, kind, position, variant_id, benchmark, engine, sampling, created, prompt_version) "
            "VALUES (?, 'run', 1, 1, 'aime', ?, '{}', 1, 'v')",
            (run, engine),
        )
    for item in (1, 2, 3):
        older.execute("INSERT INTO items VALUES (?, 'aime', ?, 'r', '{}', '[]')", (item, f"q{item}"))
    for run, item, position, sample in ((1, 1, 0, 0), (1, 2, 0, 0), (2, 1, 0, 0), (2, 1, 0, 1), (2, 2, 1, 0), (3, 1, 0, 0),
                                        (3, 2, 0, 0)):  # fmt: skip
        older.execute(
            "INSERT INTO responses (job_id, item_id, position, sample, seed) VALUES (?, ?, ?, ?, 0)",
            (run, item, position, sample),
        )
    older.conn.commit()
    older.close()
    with opened(path, "user") as connection:
        doubts = [row[0] for row in connection.execute("SELECT doubt FROM jobs ORDER BY id")]
        assert doubts == ["its questions changed while it ran", None, None]
        assert connection.execute("SELECT count(*) FROM prompts").fetchone()[0] == 0
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("INSERT INTO prompts VALUES ('v', 'text', 7)")
