"""The runner's connection. Each transaction first proves that this runner still owns the store.

The proof is a fencing token: taking over adds one to `runner.token`, and a runner whose token is not the row's any more
gets LeaseLost before it has written anything.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.engines.host.valid_text import valid
from core.errors import LeaseLost, StoreDamaged
from core.files.redact import mask
from core.store.connection import connect, transaction, translated
from core.store.identity import file_id
from core.store.wal import log_of
from core.text import REPLACEMENT

LONGEST_MESSAGE = 4000


class FencedStore:
    """The one connection that writes for the runner, shared by the runner's threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = connect(path, "runner")
        self._mutex = threading.RLock()  # one transaction at a time on the one connection that may checkpoint
        self._damage: StoreDamaged | None = None
        self._file, self._log = file_id(path), file_id(log_of(path))
        self.token = 0
        self.stop_requested = False

    @contextmanager
    def fenced(self) -> Iterator[sqlite3.Connection]:
        """A transaction that renews the heartbeat; raises LeaseLost if another runner has taken over.

        A store that was found damaged is never written again: every later call raises the same StoreDamaged.
        """
        if self._damage is not None:
            raise self._damage
        if self.moved():
            raise LeaseLost(
                f"{self.path} was moved or replaced while a runner served it.",
                "This runner ends; start another.",
            )
        if self.log_lost():
            raise LeaseLost(f"{log_of(self.path)} was deleted while a runner served the store.", "Another runner goes on.")
        try:
            with self._mutex, translated(self.path), transaction(self.connection):
                renewed = self.connection.execute(
                    "UPDATE runner SET beat = ? WHERE id = 1 AND token = ?", (time.time(), self.token)
                )
                if renewed.rowcount != 1:
                    raise LeaseLost(f"Another runner took over {self.path}.", "Nothing is lost; this one ends.")
                yield self.connection
        except StoreDamaged as damage:
            self._damage = damage
            raise

    def moved(self) -> bool:
        """Whether the file that this runner serves is no longer the one at its path."""
        return file_id(self.path) not in (self._file, None)

    def log_lost(self) -> bool:
        """Whether the write-ahead log of this connection is no longer the one beside the file."""
        present = file_id(log_of(self.path))
        if self._log in ((0, 0), None):
            self._log = present
        return present not in (self._log, None)

    def requests(self, job: int | None) -> tuple[bool, str | None]:
        """Whether the runner should stop, and the request for a job: `cancel`, `pause` or None."""
        with self._mutex:
            stop = self.stop_requested or self.connection.execute("SELECT wanted FROM runner").fetchone()[0] == "stop"
            row = self.connection.execute("SELECT wanted FROM jobs WHERE id = ?", (job,)).fetchone() if job else None
        return stop, row["wanted"] if row else None

    def heartbeat(self) -> None:
        """Renew the heartbeat."""
        with self.fenced():
            pass

    def notice(self, level: str, message: str, remedy: str = "", job: int | None = None) -> None:
        """Write a notice for users; secrets of the environment are masked."""
        with self.fenced() as connection:
            connection.execute(
                "INSERT INTO notices (at, level, job_id, message, remedy) VALUES (?, ?, ?, ?, ?)",
                (time.time(), level, job, mask(storable(message)), storable(remedy)),
            )


def storable(message: str) -> str:
    """A message that any store takes and any screen shows: valid text without NUL, its middle left out where it is long."""
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[: LONGEST_MESSAGE // 2]} ... {message[-LONGEST_MESSAGE // 2 :]}"
    return valid(message).replace("\0", REPLACEMENT)
