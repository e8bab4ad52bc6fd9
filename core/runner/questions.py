"""The questions of new runs. Loading them takes up to seconds, so those of the next run are loaded while one still decodes."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from benchmarks.base import DataSource, Item
from benchmarks.registry import get
from core.errors import DataError
from core.spec import RunJob
from core.store.response_writes import revision

CACHED = 4  # runs: the next with GPUs, the next without, and those that were next before the queue was reordered
TRIES = 3  # readings of files that are written meanwhile

Stamp = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The questions that a run draws, and the version of its benchmark, from the same files.

    The version is 16 digits of a hash over questions and answers, whatever a run draws of them.
    """

    items: list[Item]
    version: str


_preloaded: dict[int, tuple[Stamp, Future[Loaded]]] = {}
_lock = threading.Lock()


def preload(job: RunJob) -> None:
    """Start a thread that loads the questions of a waiting run, unless there is one already."""
    with _lock:
        if job.id in _preloaded:
            return
        future: Future[Loaded] = Future()
        _preloaded[job.id] = (_stamp(job), future)
        for old in list(_preloaded)[:-CACHED]:
            del _preloaded[old]
    threading.Thread(target=_load_into, args=(job, future), name=f"questions of job {job.id}", daemon=True).start()


def questions(job: RunJob) -> Loaded:
    """The questions of a run, preloaded or loaded now. Raises DataError where they cannot be loaded."""
    with _lock:
        stamp, future = _preloaded.pop(job.id, ((), None))
    if future is not None and future.exception() is None and stamp == _stamp(job):
        return future.result()
    return _load(job)


@lru_cache(maxsize=16)
def _version(benchmark: str, data: Path | None, _stamp: Stamp) -> str:
    items = get(benchmark).load(DataSource(data))
    revisions = "\n".join(sorted(f"{item.key} {revision(item)[2]}" for item in items))
    return hashlib.sha256(revisions.encode()).hexdigest()[:16]


def _load_into(job: RunJob, future: Future[Loaded]) -> None:
    try:
        future.set_result(_load(job))
    except Exception as error:  # noqa: BLE001 - the run itself retries, and reports the error
        future.set_exception(error)


def _load(job: RunJob) -> Loaded:
    for _ in range(TRIES):
        stamp = _stamp(job)
        items = get(job.benchmark).load(DataSource(job.data, seed=job.seed))
        version = _version(job.benchmark, job.data, stamp)
        if stamp == _stamp(job):
            return Loaded(items[: job.limit] if job.limit else items, version)
        _version.cache_clear()
    raise DataError(f"The files in {job.data} are being written.", "Requeue the run when they are complete.")


def _stamp(job: RunJob) -> Stamp:
    """Name, time of the last write (ns), size and inode of each file of the run's data folder: it changes when a file does."""
    folder = job.data
    try:
        files = sorted({*folder.glob("*"), *folder.glob("*/*")} if folder else ())
        found = [(str(file), file.stat()) for file in files]
    except OSError:
        return ()
    return tuple((name, status.st_mtime_ns, status.st_size, status.st_ino) for name, status in found)
