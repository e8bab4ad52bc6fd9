"""The write-ahead log is kept short: by the runner alone, and against readers that never pause all at once.

SQLite's own checkpoint after a commit gives way to readers, so that the log grows for as long as some reader is always at work.
The runner therefore waits for them now and then, for an instant. Only a reader that stays in one transaction can keep the log
growing, and users are told which process that is.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from core.store.connection import BUSY_TIMEOUT_S

SHORT_BYTES = 16 * 2**20
HELD_BYTES = 64 * 2**20
LONG_BYTES = 256 * 2**20
EVERY_S = 2.0
PATIENCE_S = 0.25
PROC = Path("/proc")


class Checkpoints:
    """Moves the log of a store into it whenever it has grown; for the one connection that may."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._log = log_of(path)
        self._connection = connection
        self._next = 0.0
        connection.execute(f"PRAGMA journal_size_limit = {SHORT_BYTES}")

    def after_commit(self) -> None:
        """Checkpoint if it is time, waiting for readers no longer than `PATIENCE_S`."""
        now = time.monotonic()
        if now < self._next or size(self._log) < SHORT_BYTES:
            return
        self._next = now + EVERY_S
        self._connection.execute(f"PRAGMA busy_timeout = {PATIENCE_S * 1000:.0f}")
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000:.0f}")

    @property
    def held(self) -> float:
        """How far a reader keeps the log from being taken in, so that whatever is written stays in it: its length in units of
        HELD_BYTES, 0 below one."""
        held = size(self._log) / HELD_BYTES
        return held if held >= 1 else 0.0

    @property
    def long(self) -> int:
        """The bytes of the log where it has grown far beyond what checkpoints leave, else 0."""
        found = size(self._log)
        return found if found >= LONG_BYTES else 0


def log_of(path: Path) -> Path:
    """The write-ahead log of a store."""
    return Path(f"{path}-wal")


def size(file: Path) -> int:
    """The bytes of a file; 0 where there is none."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def users(path: Path) -> list[tuple[int, str]]:
    """Other processes of this user that have the store open: number and name."""
    shared = f"{path}-shm"
    found = []
    for entry in os.listdir(PROC) if PROC.is_dir() else []:
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        with suppress(OSError):
            if any(_target(link) == shared for link in os.scandir(PROC / entry / "fd")):
                found.append((int(entry), (PROC / entry / "comm").read_text(errors="replace").strip()))
    return found


def _target(link: os.DirEntry[str]) -> str:
    try:
        return os.readlink(link.path)
    except OSError:
        return ""
