"""Data and prompts files that are edited or deleted amid a run: it goes on with what it was planned with, to the last response."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.jobs import queue
from core.runner.client import ensure_runner, status, stop_runner
from core.spec import RunSpec, Sampling
from core.store.connection import connect
from tests.e2e.kill import finished
from tests.helpers.runs import notices, queued
from tests.helpers.waiting import until

ASKED = """
SELECT i.key, i.fields, i.gold, t.prompt, r.state, r.parsed, r.correct FROM responses r JOIN items i ON i.id = r.item_id
LEFT JOIN response_texts t ON t.response_id = r.id WHERE r.job_id = ? ORDER BY r.position
"""
VERSIONS = "SELECT prompt_version, benchmark_version FROM jobs WHERE id = ?"


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a run of ten questions is not over before it is stopped."""
    monkeypatch.setenv("LRM_LLAMA_CPP_SLOTS", "1")


def write(folder: Path, wording: str, gold: int) -> None:
    """The questions and the prompt in a wording."""
    rows = [{"ID": f"q{n}", "Problem": f"{wording} problem {n}", "Answer": gold} for n in range(30)]
    (folder / "aime2024.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (folder / "prompts.toml").write_text(f'[aime]\nprompt = "{wording} prompt: {{problem}}"\n', encoding="utf-8")


def spec(folder: Path) -> RunSpec:
    sampling = Sampling(max_tokens=300, temperature=0.0)
    return RunSpec("pocket", "none", "aime", "llama.cpp", sampling, limit=10, policy="observe", data=folder,
                   prompts=folder / "prompts.toml")  # fmt: skip


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[tuple[sqlite3.Connection, int]]:
    """A run with some of its ten responses, and a runner at work on it."""
    write(tmp_path, "first", 1)
    with queued(tmp_path, spec(tmp_path)) as (store, (run,)):
        until(lambda: len(finished(store)) >= 2, 60)
        yield store, run


def state(store: sqlite3.Connection, run: int) -> str:
    return str(store.execute("SELECT state FROM jobs WHERE id = ?", (run,)).fetchone()[0])


def check_done(store: sqlite3.Connection, run: int, versions: tuple[str, str]) -> None:
    """All ten questions were asked once in the first wording, graded by the first answers, and the run names its versions."""
    until(lambda: state(store, run) in ("done", "failed"), 120)
    rows = store.execute(ASKED, (run,)).fetchall()
    assert [(row["key"], row["state"]) for row in rows] == [(f"q{n}", "done") for n in range(10)]
    assert {row["gold"] for row in rows} == {'["1"]'} and all("first problem" in row["fields"] for row in rows)
    assert all(row["prompt"].startswith("first prompt: first problem") for row in rows)
    assert all(row["correct"] == (row["parsed"] == "1") for row in rows)
    assert tuple(store.execute(VERSIONS, (run,)).fetchone()) == versions


def test_a_run_whose_files_are_edited_between_attempts_goes_on_in_its_own_wording(
    tmp_path: Path, begun: tuple[sqlite3.Connection, int]
) -> None:
    store, run = begun
    path = tmp_path / "runs.db"
    stop_runner(path)
    assert state(store, run) == "queued"
    versions = tuple(store.execute(VERSIONS, (run,)).fetchone())
    write(tmp_path, "second", 2)
    with closing(connect(path, "user")) as writer:
        (other,) = queue.add(writer, [queue.spec_of(writer, run)])
    ensure_runner(path)
    check_done(store, run, versions)
    until(lambda: state(store, other) == "done", 120)
    rows = store.execute(ASKED, (other,)).fetchall()
    assert len(rows) == 10 and all(row["prompt"].startswith("second prompt: second problem") for row in rows)
    assert not set(versions) & set(store.execute(VERSIONS, (other,)).fetchone()), "another wording, another version"


def test_a_run_whose_files_are_deleted_goes_on_after_its_runner_was_killed(
    tmp_path: Path, begun: tuple[sqlite3.Connection, int]
) -> None:
    store, run = begun
    versions = tuple(store.execute(VERSIONS, (run,)).fetchone())
    for file in ("aime2024.jsonl", "prompts.toml"):
        (tmp_path / file).unlink()
    os.kill(status(tmp_path / "runs.db").pid or 0, signal.SIGKILL)
    check_done(store, run, versions)
    assert store.execute("SELECT attempts FROM jobs WHERE id = ?", (run,)).fetchone()[0] == 2


def test_a_store_of_schema_12_goes_on_where_the_wording_is_the_same_and_waits_where_it_is_not(
    tmp_path: Path, begun: tuple[sqlite3.Connection, int]
) -> None:
    store, run = begun
    path = tmp_path / "runs.db"
    stop_runner(path)
    versions = tuple(store.execute(VERSIONS, (run,)).fetchone())
    store.close()
    older = sqlite3.connect(path, isolation_level=None)
    older.executescript("DROP TABLE prompts; DELETE FROM _sqlite_migrations WHERE name LIKE '0013%'; PRAGMA user_version = 12;")
    older.close()
    write(tmp_path, "second", 2)
    ensure_runner(path)
    with closing(connect(path, "reader")) as store:
        until(lambda: state(store, run) == "paused", 60)
        row = store.execute("SELECT error, remedy FROM jobs WHERE id = ?", (run,)).fetchone()
        assert "prompts.toml has another wording than the one that this run began with" in row["error"]
        assert row["error"] in notices(store) and versions[0] in row["remedy"] and "clone it" in row["remedy"]
        write(tmp_path, "first", 2)  # the wording of before; the answers are still the kept ones
        with closing(connect(path, "user")) as writer:
            queue.requeue(writer, run)
        check_done(store, run, versions)
        assert store.execute("SELECT version, text FROM prompts").fetchall()[0][0] == versions[0]
