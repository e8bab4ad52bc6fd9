"""The questions of runs. Making them takes up to seconds, so the runner has those of the next run made while one still
decodes: the engine would stand idle for them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from benchmarks.base import DataSource, Item
from benchmarks.registry import get

KEPT = 4  # runs whose questions are held: the next one with GPUs and without, and what was next until the order changed

_ahead: dict[int, tuple[int, Future[list[Item]]]] = {}
_lock = threading.Lock()


def make_ahead(job: Mapping[str, Any]) -> None:
    """Begin to make the questions of a run that waits, in a thread, unless somebody has."""
    number = int(job["id"])
    with _lock:
        if job["kind"] != "run" or number in _ahead:
            return
        future: Future[list[Item]] = Future()
        _ahead[number] = (_stamp(job), future)
        for old in list(_ahead)[:-KEPT]:
            del _ahead[old]
    threading.Thread(target=_make, args=(job, future), name=f"questions of job {number}", daemon=True).start()


def questions(job: Mapping[str, Any]) -> list[Item]:
    """Those of a run that begins. Raises DataError where they cannot be had."""
    with _lock:
        stamp, future = _ahead.pop(int(job["id"]), (0, None))
    if future is not None and future.exception() is None and stamp == _stamp(job):
        return future.result()
    return _load(job)


def _make(job: Mapping[str, Any], future: Future[list[Item]]) -> None:
    try:
        future.set_result(_load(job))
    except Exception as error:  # noqa: BLE001 - the run tries again when its turn comes, and reports what it meets
        future.set_exception(error)


def _load(job: Mapping[str, Any]) -> list[Item]:
    items = get(job["benchmark"]).load(DataSource(_folder(job), seed=int(job["seed"])))
    return items[: job["item_limit"]] if job["item_limit"] else items


def _stamp(job: Mapping[str, Any]) -> int:
    """Another number once a file of the run's data folder has changed: when the youngest was written, in nanoseconds."""
    folder = _folder(job)
    files = [*folder.glob("*"), *folder.glob("*/*")] if folder else []
    try:
        return max((file.stat().st_mtime_ns for file in files), default=0)
    except OSError:
        return 0


def _folder(job: Mapping[str, Any]) -> Path | None:
    return Path(job["data_folder"]) if job["data_folder"] else None
