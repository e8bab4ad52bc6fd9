"""Digests of runs that have ended are kept in the store, so that a table over a million responses reads one row a run.

They are a cache and nothing else: triggers of the schema drop a digest with any change of its run's responses, a run under
way has none, and what is missing is computed on the spot.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from core.errors import StoreBusy, StoreFull, StoreNewer, StoreReadOnly
from core.results.run_summary import ROW, VERSION, Digest, digest
from core.store.connection import opened, transaction, writable

Progress = Callable[[int, int], None]

BATCH_S = 0.2
"""How long one transaction may hold the store while digests are made; the runner waits for it."""

_MISSING = """
SELECT j.id, j.benchmark FROM jobs j LEFT JOIN run_digests d ON d.job_id = j.id AND d.version = ?
WHERE j.kind = 'run' AND j.state IN ('done', 'failed', 'cancelled') AND d.job_id IS NULL
  AND EXISTS (SELECT 1 FROM responses r WHERE r.job_id = j.id)
ORDER BY j.id
"""
_KEPT = "SELECT job_id, summary FROM run_digests WHERE version = ?"
_ROWS = """
SELECT job_id, responses FROM run_digests WHERE version = ? AND job_id IN (SELECT value FROM json_each(?))
"""
_KEEP = "INSERT OR REPLACE INTO run_digests (job_id, version, summary, responses) VALUES (?, ?, ?, ?)"


def kept(connection: sqlite3.Connection) -> dict[int, Digest]:
    """The digests that the store holds, by run."""
    return {int(row[0]): Digest.loaded(row[1]) for row in connection.execute(_KEPT, (VERSION,))}


def responses_of(connection: sqlite3.Connection, runs: Iterable[tuple[int, str]]) -> dict[int, np.ndarray]:
    """The finished responses of runs, each given with its benchmark, as arrays of `ROW`."""
    wanted = dict(runs)
    found = {int(row[0]): np.frombuffer(row[1], dtype=ROW) for row in connection.execute(_ROWS, (VERSION, str(list(wanted))))}
    for run in wanted.keys() - found.keys():
        found[run] = digest(connection, run, wanted[run])[1]
    return found


def keep(
    connection: sqlite3.Connection,
    held: Callable[[], AbstractContextManager[object]] | None = None,
    progress: Progress = lambda done, total: None,
) -> None:
    """Make the digest of every ended run that lacks one, in short transactions (`held`, where a runner proves its token).

    `progress` gets how many are done, and of how many.
    """
    missing = [(int(row[0]), str(row[1])) for row in connection.execute(_MISSING, (VERSION,))]
    at = 0
    while at < len(missing):
        until = time.monotonic() + BATCH_S
        with held() if held else transaction(connection):
            while at < len(missing) and time.monotonic() < until:
                _keep(connection, *missing[at])
                at += 1
        progress(at, len(missing))


def _keep(connection: sqlite3.Connection, run: int, benchmark: str) -> None:
    state = connection.execute("SELECT state FROM jobs WHERE id = ?", (run,)).fetchone()
    if state is not None and state[0] in ("done", "failed", "cancelled"):
        found, rows = digest(connection, run, benchmark)
        connection.execute(_KEEP, (run, VERSION, found.dumped(), rows.tobytes()))


def prepare(path: Path, progress: Progress = lambda done, total: None) -> None:
    """Keep what is missing, so that the tables that follow are quick; a store that takes no writing is left alone."""
    if not path.exists() or not writable(path):
        return
    try:
        with opened(path, "reader") as reader:
            if reader.execute(_MISSING, (VERSION,)).fetchone() is None:
                return
        with opened(path, "user") as writer:
            keep(writer, progress=progress)
    except (StoreBusy, StoreFull, StoreNewer, StoreReadOnly):
        return  # the tables then compute what is not kept
