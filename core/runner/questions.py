"""The questions of runs. Making them takes up to seconds, so the runner has those of the next run made while one still
decodes: the engine would stand idle for them."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from benchmarks.base import DataSource, Item
from benchmarks.registry import get
from core.spec import RunJob

KEPT = 4  # runs whose questions are held: the next one with GPUs and without, and what was next until the order changed

_ahead: dict[int, tuple[int, Future[list[Item]]]] = {}
_lock = threading.Lock()


def make_ahead(job: RunJob) -> None:
    """Begin to make the questions of a run that waits, in a thread, unless somebody has."""
    with _lock:
        if job.id in _ahead:
            return
        future: Future[list[Item]] = Future()
        _ahead[job.id] = (_stamp(job), future)
        for old in list(_ahead)[:-KEPT]:
            del _ahead[old]
    threading.Thread(target=_make, args=(job, future), name=f"questions of job {job.id}", daemon=True).start()


def questions(job: RunJob) -> list[Item]:
    """Those of a run that begins. Raises DataError where they cannot be had."""
    with _lock:
        stamp, future = _ahead.pop(job.id, (0, None))
    if future is not None and future.exception() is None and stamp == _stamp(job):
        return future.result()
    return _load(job)


def _make(job: RunJob, future: Future[list[Item]]) -> None:
    try:
        future.set_result(_load(job))
    except Exception as error:  # noqa: BLE001 - the run tries again when its turn comes, and reports what it meets
        future.set_exception(error)


def _load(job: RunJob) -> list[Item]:
    items = get(job.benchmark).load(DataSource(job.data, seed=job.seed))
    return items[: job.limit] if job.limit else items


def _stamp(job: RunJob) -> int:
    """Another number once a file of the run's data folder has changed: when the youngest was written, in nanoseconds."""
    folder = job.data
    files = [*folder.glob("*"), *folder.glob("*/*")] if folder else []
    try:
        return max((file.stat().st_mtime_ns for file in files), default=0)
    except OSError:
        return 0
