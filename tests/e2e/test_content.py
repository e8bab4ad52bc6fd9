"""Weights that are replaced at the same path: before they are measured, when they are ready, loaded, or a run is under way."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from core.compress.gguf.export import export_folder
from core.compress.hf_folder import HfFolder
from core.files.content import sha256
from core.jobs import queue
from core.runner.client import ensure_runner, stop_runner
from core.spec import RunSpec, Sampling
from core.store.connection import connect
from core.store.joins import JOBS
from tests.e2e.kill import stored
from tests.helpers import tiny
from tests.helpers.runs import ended, notices, queued
from tests.helpers.waiting import until

SQL = f"SELECT m.name, a.sha256, j.weights_sha256, j.state, j.error, j.remedy FROM {JOBS} WHERE j.id = ?"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two checkpoints of one architecture with other weights, so that their files differ in nothing but content."""
    folder = tmp_path_factory.mktemp("models")
    return tiny.save_model(folder / "one", seed=1), tiny.save_model(folder / "two", seed=2)


@pytest.fixture
def place(tmp_path: Path, models: tuple[Path, Path]) -> Path:
    """The first checkpoint, in a place where it can be replaced."""
    return Path(shutil.copytree(models[0], tmp_path / "models" / "checkpoint-1000"))


@pytest.fixture(scope="module")
def files(models: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same as GGUF files."""
    made = tmp_path_factory.mktemp("files")
    for model in models:
        export_folder(HfFolder.open(model), made / f"{model.name}.gguf", lambda done, total, message: None)
    return made / "one.gguf", made / "two.gguf"


@pytest.fixture
def file(tmp_path: Path, files: tuple[Path, Path]) -> Path:
    """The first file, in a place where it can be replaced."""
    (tmp_path / "models").mkdir()
    return Path(shutil.copyfile(files[0], tmp_path / "models" / "checkpoint-1000.gguf"))


def spec(model: Path, compression: str = "none", tokens: int = 8, limit: int = 2) -> RunSpec:
    engine = "llama.cpp" if model.is_file() else "transformers"
    return RunSpec(str(model), compression, "pocket-facts", engine, Sampling(max_tokens=tokens), limit=limit)


def put(content: Path, place: Path) -> None:
    """Replace a checkpoint as a training script or a download does: file by file, by rename."""
    for file in [content] if content.is_file() else content.iterdir():
        target = place if content.is_file() else place / file.name
        shutil.copyfile(file, target.with_name(f".{file.name}"))
        os.replace(target.with_name(f".{file.name}"), target)


def add(path: Path, one: RunSpec) -> int:
    with closing(connect(path, "user")) as writer:
        (job,) = queue.add(writer, [one])
    ensure_runner(path)
    return job


def row(store: sqlite3.Connection, job: int) -> sqlite3.Row:
    found: sqlite3.Row = store.execute(SQL, (job,)).fetchone()
    return found


def test_ready_weights_that_are_replaced_are_another_model(tmp_path: Path, place: Path, models: tuple[Path, Path]) -> None:
    """Also where the engine has the old ones loaded; and the first content at its old place is the first model again."""
    path = tmp_path / "runs.db"
    with queued(tmp_path, spec(place)) as (store, (first,)):
        assert ended(store, first)["state"] == "done"
        put(models[1], place)
        second = add(path, spec(place))
        assert ended(store, second)["state"] == "done"
        one, two = row(store, first), row(store, second)
        assert (one["name"], one["sha256"], one["weights_sha256"]) == ("checkpoint-1000", sha256(models[0]), sha256(models[0]))
        assert (two["name"], two["sha256"], two["weights_sha256"]) == (
            "checkpoint-1000~2",
            sha256(models[1]),
            sha256(models[1]),
        )
        assert "holds other weights than before" in notices(store)
        texts = [store.execute("SELECT group_concat(t.text) FROM responses r JOIN response_texts t ON t.response_id = r.id "
                               "WHERE r.job_id = ?", (job,)).fetchone()[0] for job in (first, second)]  # fmt: skip
        assert texts[0] != texts[1]
        put(models[0], place)
        third = add(path, spec(place))
        assert ended(store, third)["state"] == "done" and row(store, third)["name"] == "checkpoint-1000"


def test_a_touched_file_is_the_same_model(tmp_path: Path, file: Path) -> None:
    with queued(tmp_path, spec(file)) as (store, (first,)):
        assert ended(store, first)["state"] == "done"
        os.utime(file)
        second = add(tmp_path / "runs.db", spec(file))
        assert ended(store, second)["state"] == "done" and row(store, second)["name"] == "checkpoint-1000"
        assert not notices(store)


def test_a_compression_of_replaced_weights_is_made_anew(tmp_path: Path, place: Path, models: tuple[Path, Path]) -> None:
    with queued(tmp_path, spec(place, "magnitude-50")) as (store, (first,)):
        assert ended(store, first)["state"] == "done"
        put(models[1], place)
        second = add(tmp_path / "runs.db", spec(place, "magnitude-50"))
        assert ended(store, second)["state"] == "done"
        assert row(store, first)["sha256"] != row(store, second)["sha256"]
        assert row(store, second)["name"] == "checkpoint-1000~2"


def test_weights_that_are_replaced_before_they_are_measured(tmp_path: Path, file: Path, files: tuple[Path, Path]) -> None:
    path = tmp_path / "runs.db"
    with closing(connect(path, "user")) as writer:
        (job,) = queue.add(writer, [spec(file)])
    put(files[1], file)
    ensure_runner(path)
    try:
        with closing(connect(path, "reader")) as store:
            assert ended(store, job)["state"] == "done"
            assert row(store, job)["weights_sha256"] == sha256(files[1]) and row(store, job)["name"] == "checkpoint-1000"
    finally:
        stop_runner(path)


def test_a_run_under_way_waits_for_its_own_weights(
    tmp_path: Path, file: Path, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRM_LLAMA_CPP_SLOTS", "1")
    path = tmp_path / "runs.db"
    long = spec(file, tokens=200, limit=400)
    with queued(tmp_path, long) as (store, (job,)):
        until(lambda: stored(store))
        stop_runner(path)
        put(files[1], file)
        ensure_runner(path)
        until(lambda: row(store, job)["state"] == "paused", 30)
        assert "holds other weights than those that this run began with" in row(store, job)["error"]
        assert "Restore the files" in row(store, job)["remedy"] and "new run" in row(store, job)["remedy"]
        put(files[0], file)
        with closing(connect(path, "user")) as writer:
            queue.requeue(writer, job)
        ensure_runner(path)
        until(lambda: row(store, job)["state"] == "done", 120)
        assert row(store, job)["weights_sha256"] == sha256(files[0])
        with closing(connect(path, "user")) as writer:
            clone = queue.spec_of(writer, job)
        assert clone == replace(long, model=str(file))


def test_a_compressed_file_that_is_gone_or_changed_is_made_again(tmp_path: Path, place: Path) -> None:
    path = tmp_path / "runs.db"
    one = replace(spec(place, "q8_0"), engine="llama.cpp")
    with queued(tmp_path, one) as (store, (first,)):
        assert ended(store, first)["state"] == "done"
        made = Path(store.execute("SELECT path FROM artifacts WHERE compression = 'q8_0'").fetchone()[0])
        digest = sha256(made)
        made.unlink()
        second = add(path, one)
        assert ended(store, second)["state"] == "done" and sha256(made) == digest
        with made.open("r+b") as file:
            file.seek(-64, os.SEEK_END)
            file.write(bytes(64))
        third = add(path, one)
        assert ended(store, third)["state"] == "done" and sha256(made) == digest
        assert {row(store, job)["weights_sha256"] for job in (first, second, third)} == {digest}
