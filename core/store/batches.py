"""Many jobs added in several transactions, all or none: until its record is gone, no job of a batch can start.

The record of a batch names the process that adds it. Where that process has ended before the batch was whole, what it had added
is removed by the next one that adds jobs, or by the runner.
"""

from __future__ import annotations

import os
import sqlite3
import time

from core.errors import StoreError
from core.store.connection import transaction

LARGEST = 2_000
"""Runs in one transaction; more are added as a batch, so that a runner's writes need not wait long."""
_REMOVED = 5_000
"""Jobs that are removed in one transaction."""
_SAME_START_S = 0.005
READY = "(j.batch IS NULL OR j.batch NOT IN (SELECT id FROM open_batches))"
"""Holds for a job `j` that is not of a batch under way."""


def begin(connection: sqlite3.Connection) -> int:
    """Record a batch that this process is about to add. Returns its number."""
    import psutil  # which takes the time that reading a command line may take

    with transaction(connection):
        started = psutil.Process().create_time()
        sql = "INSERT INTO open_batches (pid, started, at) VALUES (?, ?, ?)"
        return int(connection.execute(sql, (os.getpid(), started, time.time())).lastrowid or 0)


def require(connection: sqlite3.Connection, batch: int) -> None:
    """Raise StoreError, within the caller's transaction, where the record of a batch is gone: what is added now could start."""
    if connection.execute("SELECT 1 FROM open_batches WHERE id = ?", (batch,)).fetchone() is None:
        raise StoreError(
            "What was being added was taken for abandoned, and removed.", "Nothing was queued: repeat the command."
        )


def end(connection: sqlite3.Connection, batch: int) -> None:
    """Let the jobs of a batch start: it is whole. Raises StoreError where it was removed meanwhile."""
    with transaction(connection):
        require(connection, batch)
        connection.execute("DELETE FROM open_batches WHERE id = ?", (batch,))


def left(connection: sqlite3.Connection) -> list[int]:
    """The batches whose process has ended before they were whole."""
    return [row[0] for row in connection.execute("SELECT id, pid, started FROM open_batches") if not _alive(row[1], row[2])]


def remove(connection: sqlite3.Connection, batch: int) -> None:
    """Remove a batch that is not whole."""
    done = False
    while not done:
        with transaction(connection):
            done = remove_some(connection, batch)


def remove_some(connection: sqlite3.Connection, batch: int) -> bool:
    """Remove some jobs of a batch within the caller's transaction; at last its record. Returns whether nothing is left.

    A preparation that runs from elsewhere wait for stays.
    """
    connection.execute(_KEPT, (batch,))
    sql = "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE batch = ? LIMIT ?)"
    if connection.execute(sql, (batch, _REMOVED)).rowcount == _REMOVED:
        return False
    connection.execute("DELETE FROM open_batches WHERE id = ?", (batch,))
    return True


def _alive(pid: int, started: float) -> bool:
    import psutil

    try:
        return abs(psutil.Process(pid).create_time() - started) <= _SAME_START_S
    except psutil.NoSuchProcess:
        return False


_KEPT = """
UPDATE jobs SET batch = NULL WHERE batch = ? AND kind = 'prepare' AND EXISTS (
    SELECT 1 FROM jobs run JOIN variants v ON v.id = run.variant_id
    WHERE run.kind = 'run' AND run.batch IS NOT jobs.batch AND run.state IN ('queued', 'paused')
    AND v.artifact_id = (SELECT artifact_id FROM variants WHERE id = jobs.variant_id)
)
"""
