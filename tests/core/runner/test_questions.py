"""Questions that are made before their run begins."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from benchmarks.base import DataSource, Item
from benchmarks.temporal import Temporal
from core.errors import DataError
from core.runner.questions import Loaded, preload, questions
from core.spec import RunJob
from tests.helpers.jobs import run_job


def job(number: int, folder: Path, **more: Any) -> RunJob:
    """A run in the queue."""
    return run_job(id=number, benchmark="temporal", data=folder, **more)


def write(folder: Path, *inputs: str) -> Path:
    """A file of questions in the original format."""
    path = folder / "temporal_sequences" / "temporal_sequences.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"examples": [{"input": text, "target": "(A)"} for text in inputs]}), encoding="utf-8")
    return path


def texts(found: Loaded) -> list[str]:
    return [item.fields["input"] for item in found.items]


def test_a_run_gets_what_was_made_ahead(tmp_path: Path) -> None:
    path = write(tmp_path, "old", "second")
    before = path.stat()
    preload(job(1, tmp_path))
    assert texts(questions(job(2, tmp_path, limit=1))) == ["old"]  # of another run, which waits for nobody
    for thread in threading.enumerate():
        if thread.name == "questions of job 1":
            thread.join()
    write(tmp_path, "new", "fourth")  # as long, and as old, so that only a load ahead can have seen the old text
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert texts(questions(job(1, tmp_path))) == ["old", "second"]
    assert texts(questions(job(1, tmp_path))) == ["new", "fourth"]  # they are given once


def test_a_file_that_has_changed_since_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, "old")
    preload(job(4, tmp_path))
    write(tmp_path, "new")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert texts(questions(job(4, tmp_path))) == ["new"]


def test_another_file_of_the_same_time_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, "old")
    before = path.stat()
    first = questions(job(6, tmp_path))
    write(tmp_path, "of another length")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = questions(job(6, tmp_path))
    assert texts(second) == ["of another length"] and second.version != first.version


def test_questions_and_version_come_from_one_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is replaced after the questions were read, before the version is told."""
    write(tmp_path, "old")
    replaced: list[Path] = []

    def replace(self: Temporal, source: DataSource) -> list[Item]:
        items = load(self, source)
        if not replaced:
            replaced.append(write(tmp_path, "replaced by a new text"))
        return items

    load = Temporal.load
    monkeypatch.setattr(Temporal, "load", replace)
    found = questions(job(7, tmp_path))
    assert texts(found) == ["replaced by a new text"] and found == questions(job(8, tmp_path))


def test_a_file_that_is_written_all_the_time_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load, texts_written = Temporal.load, iter("x" * length for length in range(99))

    def grow(self: Temporal, source: DataSource) -> list[Item]:
        write(tmp_path, next(texts_written))
        return load(self, source)

    write(tmp_path, "old")
    monkeypatch.setattr(Temporal, "load", grow)
    with pytest.raises(DataError, match="are being written"):
        questions(job(9, tmp_path))


def test_what_fails_ahead_is_told_when_the_run_begins(tmp_path: Path) -> None:
    preload(job(5, tmp_path))
    with pytest.raises(DataError, match="holds none of"):
        questions(job(5, tmp_path))
    preload(job(5, tmp_path))
    write(tmp_path, "there by now")
    assert texts(questions(job(5, tmp_path))) == ["there by now"]
