"""Backup: a consistent, checked copy of a store in use, or no copy at all."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from core.errors import StoreDamaged, UsageError
from core.store.connection import SCHEMA_VERSION, opened, transaction, translated
from core.store.integrity import quick_check

PAGES = 2000
Progress = Callable[[int, int], None]


def backup(store: Path, destination: Path, progress: Progress = lambda done, total: None) -> Path:
    """Copy a store while others read and write it. Returns where the copy lies.

    In a folder the copy is named after the store and the time. Raises UsageError where something is there already,
    StoreDamaged where the store is not sound (no copy is kept then), FileNotFoundError where there is none.
    """
    if destination.is_dir():
        destination = destination / f"{store.stem}-{time.strftime('%Y%m%d-%H%M%S')}.db"
    if destination.exists():
        raise UsageError(f"{destination} is there already.", "Name another file, or a folder.")
    half = destination.with_name(f".{destination.name}.{os.getpid()}.half")
    with translated(destination):
        os.close(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        _copy(store, half, progress)
        _check(store, half)
        with translated(destination):
            _publish(half, destination)
    finally:
        for leftover in (half, Path(f"{half}-journal"), Path(f"{half}-wal"), Path(f"{half}-shm")):
            leftover.unlink(missing_ok=True)
    return destination


def _copy(store: Path, half: Path, progress: Progress) -> None:
    """Copy within one read transaction, so that writes meanwhile do not restart the copy."""
    with opened(store, "reader") as source, translated(half):
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        with closing(sqlite3.connect(half, isolation_level=None)) as target:
            target.execute("PRAGMA journal_mode = OFF")
            source.backup(target, pages=PAGES, progress=lambda _, left, total: progress(total - left, total))
            forget_runner(target)
        source.execute("ROLLBACK")


def forget_runner(copy: sqlite3.Connection) -> None:
    """Remove from a copy what holds for its original alone: the runner, and the processes of its engines."""
    if copy.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
        return
    with transaction(copy):
        copy.execute("DELETE FROM hosts")
        copy.execute("UPDATE runner SET pid = NULL, pid_started = NULL, beat = NULL, state = 'stopped', wanted = NULL")


def _check(store: Path, half: Path) -> None:
    if problem := quick_check(half, whole=True):
        raise StoreDamaged(f"{store} is not sound ({problem}), so that no copy was kept.", "Run `lrm-tui doctor`.")


def _publish(half: Path, destination: Path) -> None:
    """Give the finished copy its name, never replacing a file, and sync it to disk."""
    descriptor = os.open(half, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.link(half, destination)
    with suppress(OSError):  # some file systems know no fsync of folders
        folder = os.open(destination.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
