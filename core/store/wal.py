"""Checkpoints merge the write-ahead log into the store's file; only the runner makes them.

SQLite's automatic checkpoint after a commit yields to readers, so the log grows while there is always some reader active. The
runner therefore checkpoints every few seconds and waits a moment for readers. Only a reader that stays in one transaction can
then keep the log growing, and users are told which process that is.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from core.store.connection import BUSY_TIMEOUT_S
from core.store.identity import file_id

SHORT_BYTES = 16 * 2**20
BACKLOG_BYTES = 64 * 2**20
LONG_BYTES = 256 * 2**20
EVERY_S = 2.0
PATIENCE_S = 0.25
PROC = Path("/proc")


class Checkpoints:
    """Checkpoints a store when its log has grown, through the runner's connection."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._log = log_of(path)
        self._connection = connection
        self._next = 0.0
        self._files = {file: file_id(file) for file in (self._log, Path(f"{path}-shm"))}
        connection.execute(f"PRAGMA journal_size_limit = {SHORT_BYTES}")

    def after_commit(self) -> None:
        """Checkpoint if one is due, waiting at most `PATIENCE_S` for readers."""
        now = time.monotonic()
        if now < self._next or size(self._log) < SHORT_BYTES:
            return
        self._next = now + EVERY_S
        self._truncate()

    def settle(self) -> None:
        """Checkpoint whatever the log's length, unless it is empty."""
        if size(self._log):
            self._truncate()

    def merge_all(self, patience_s: float) -> bool:
        """Checkpoint wherever the log lies now, retried while readers block it. Returns whether all is in the file."""
        deadline = time.monotonic() + patience_s
        while not self._truncate():
            if time.monotonic() > deadline:
                return False
        return True

    def remove_log(self) -> None:
        """Remove the log and its index where they are still those of this connection."""
        for file, ours in self._files.items():
            if file_id(file) == ours:
                file.unlink(missing_ok=True)

    def _truncate(self) -> bool:
        self._connection.execute(f"PRAGMA busy_timeout = {PATIENCE_S * 1000:.0f}")
        try:
            return not self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000:.0f}")

    @property
    def backlog(self) -> float:
        """How far checkpoints lag behind because a reader blocks them: the log's length in BACKLOG_BYTES, 0 below one."""
        backlog = size(self._log) / BACKLOG_BYTES
        return backlog if backlog >= 1 else 0.0

    @property
    def long(self) -> int:
        """Bytes of the log if that is far more than checkpoints should leave (LONG_BYTES), else 0."""
        length = size(self._log)
        return length if length >= LONG_BYTES else 0


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
    """Other processes of this user that have the store open, as (pid, name)."""
    shared = f"{path}-shm"
    processes = []
    for entry in os.listdir(PROC) if PROC.is_dir() else []:
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        with suppress(OSError):
            if any(_target(link) == shared for link in os.scandir(PROC / entry / "fd")):
                processes.append((int(entry), (PROC / entry / "comm").read_text(errors="replace").strip()))
    return processes


def _target(link: os.DirEntry[str]) -> str:
    try:
        return os.readlink(link.path)
    except OSError:
        return ""
