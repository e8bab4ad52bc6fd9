"""The questions of runs. Loading them takes up to seconds, so those of the next run are loaded while one still decodes."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import Future
from functools import lru_cache
from pathlib import Path

from benchmarks.base import DataSource, Item
from benchmarks.registry import get
from core.spec import RunJob
from core.store.response_writes import revision

CACHED = 4  # runs: the next with GPUs, the next without, and those that were next before the queue was reordered

_preloaded: dict[int, tuple[int, Future[list[Item]]]] = {}
_lock = threading.Lock()


def preload(job: RunJob) -> None:
    """Start a thread that loads the questions of a waiting run, unless there is one already."""
    with _lock:
        if job.id in _preloaded:
            return
        future: Future[list[Item]] = Future()
        _preloaded[job.id] = (_stamp(job), future)
        for old in list(_preloaded)[:-CACHED]:
            del _preloaded[old]
    threading.Thread(target=_load_into, args=(job, future), name=f"questions of job {job.id}", daemon=True).start()


def questions(job: RunJob) -> list[Item]:
    """The questions of a run, preloaded or loaded now. Raises DataError where they cannot be loaded."""
    with _lock:
        stamp, future = _preloaded.pop(job.id, (0, None))
    if future is not None and future.exception() is None and stamp == _stamp(job):
        return future.result()
    return _load(job)


def version(job: RunJob) -> str:
    """The version of a run's benchmark: 16 digits of a hash over its questions and answers, whatever the run draws of them."""
    return _version(job.benchmark, job.data, _stamp(job))


@lru_cache(maxsize=16)
def _version(benchmark: str, data: Path | None, _stamp: int) -> str:
    items = get(benchmark).load(DataSource(data))
    revisions = "\n".join(sorted(f"{item.key} {revision(item)[2]}" for item in items))
    return hashlib.sha256(revisions.encode()).hexdigest()[:16]


def _load_into(job: RunJob, future: Future[list[Item]]) -> None:
    try:
        future.set_result(_load(job))
    except Exception as error:  # noqa: BLE001 - the run itself retries, and reports the error
        future.set_exception(error)


def _load(job: RunJob) -> list[Item]:
    items = get(job.benchmark).load(DataSource(job.data, seed=job.seed))
    return items[: job.limit] if job.limit else items


def _stamp(job: RunJob) -> int:
    """When the newest file of the run's data folder was written, in nanoseconds: it changes when a file does."""
    folder = job.data
    files = [*folder.glob("*"), *folder.glob("*/*")] if folder else []
    try:
        return max((file.stat().st_mtime_ns for file in files), default=0)
    except OSError:
        return 0
