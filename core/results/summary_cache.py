"""Cache of run summaries in the store, so that a table over a million responses reads one row a run.

Triggers of the schema delete a summary with any change of its run's responses. A run under way has none. A summary that is
not in the cache is computed when it is needed.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from core.errors import StoreBusy, StoreFull, StoreNewer, StoreReadOnly
from core.results.run_summary import ROW, VERSION, RunSummary, summarise
from core.store.connection import opened, transaction, writable

Progress = Callable[[int, int], None]

BATCH_S = 0.2
"""How long one transaction may hold the store while summaries are made; the runner waits for it."""

_MISSING = """
SELECT j.id, j.benchmark FROM jobs j LEFT JOIN run_digests d ON d.job_id = j.id AND d.version = ?
WHERE j.kind = 'run' AND j.state IN ('done', 'failed', 'cancelled') AND d.job_id IS NULL
  AND EXISTS (SELECT 1 FROM responses r WHERE r.job_id = j.id)
ORDER BY j.id
"""
_CACHED = "SELECT job_id, summary FROM run_digests WHERE version = ?"
_ROWS = """
SELECT job_id, responses FROM run_digests WHERE version = ? AND job_id IN (SELECT value FROM json_each(?))
"""
_STORE = "INSERT OR REPLACE INTO run_digests (job_id, version, summary, responses) VALUES (?, ?, ?, ?)"


def cached(connection: sqlite3.Connection) -> dict[int, RunSummary]:
    """The summaries in the cache, by run."""
    return {int(row[0]): RunSummary.loaded(row[1]) for row in connection.execute(_CACHED, (VERSION,))}


def responses_of(connection: sqlite3.Connection, runs: Iterable[tuple[int, str]]) -> dict[int, np.ndarray]:
    """The finished responses of runs, each passed with its benchmark, as arrays of `ROW`, each [responses]."""
    benchmarks = dict(runs)
    rows = connection.execute(_ROWS, (VERSION, str(list(benchmarks))))
    arrays = {int(run): np.frombuffer(packed, dtype=ROW) for run, packed in rows}
    for run in benchmarks.keys() - arrays.keys():
        arrays[run] = summarise(connection, run, benchmarks[run])[1]
    return arrays


def cache_ended(
    connection: sqlite3.Connection,
    fenced: Callable[[], AbstractContextManager[object]] | None = None,
    progress: Progress = lambda done, total: None,
) -> None:
    """Summarise every ended run that is not in the cache, in short transactions (`fenced`: those of the runner).

    `progress` is called with the number done and the total.
    """
    missing = [(int(row[0]), str(row[1])) for row in connection.execute(_MISSING, (VERSION,))]
    at = 0
    while at < len(missing):
        until = time.monotonic() + BATCH_S
        with fenced() if fenced else transaction(connection):
            while at < len(missing) and time.monotonic() < until:
                _cache(connection, *missing[at])
                at += 1
        progress(at, len(missing))


def _cache(connection: sqlite3.Connection, run: int, benchmark: str) -> None:
    state = connection.execute("SELECT state FROM jobs WHERE id = ?", (run,)).fetchone()
    if state is not None and state[0] in ("done", "failed", "cancelled"):
        summary, rows = summarise(connection, run, benchmark)
        connection.execute(_STORE, (run, VERSION, summary.dumped(), rows.tobytes()))


def cache_missing(path: Path, progress: Progress = lambda done, total: None) -> None:
    """Fill the cache, so that tables are quick; a store that cannot be written is left alone."""
    if not path.exists() or not writable(path):
        return
    try:
        with opened(path, "reader") as reader:
            if reader.execute(_MISSING, (VERSION,)).fetchone() is None:
                return
        with opened(path, "user") as writer:
            cache_ended(writer, progress=progress)
    except (StoreBusy, StoreFull, StoreNewer, StoreReadOnly):
        return  # the tables then compute what is missing
