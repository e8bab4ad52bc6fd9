"""The store in the hands of the one runner: ownership, the write-ahead log, and all that it writes."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

from core.store.connection import transaction, translated
from core.store.content_writes import ContentWrites
from core.store.queue_writes import QueueWrites
from core.store.response_writes import ResponseWrites
from core.store.wal import Checkpoints, users

TELL_EVERY_S = 3600.0


class RunnerStore(QueueWrites, ContentWrites, ResponseWrites):
    """Everything that the runner writes, through one connection that its threads share."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._checkpoints = Checkpoints(path, self.connection)
        self._told_of_log = -math.inf

    def take_over(self, pid_started: float) -> list[tuple[int, float]]:
        """Become the owner: new token, interrupted jobs back into the queue. Returns (pid, start) of left engines."""
        with translated(self.path), transaction(self.connection):
            self.connection.execute(
                "UPDATE runner SET token = token + 1, pid = ?, pid_started = ?, beat = ?, state = 'serving', wanted = NULL",
                (os.getpid(), pid_started, time.time()),
            )
            self.token = int(self.connection.execute("SELECT token FROM runner").fetchone()[0])
            self.connection.execute(
                "UPDATE jobs SET state = CASE wanted WHEN 'cancel' THEN 'cancelled' WHEN 'pause' THEN 'paused' "
                "ELSE 'queued' END, wanted = NULL, lease_token = NULL WHERE state = 'running'"
            )
            self.connection.execute("UPDATE responses SET state = 'pending' WHERE state = 'active'")
            left = [(r["pid"], r["pid_started"]) for r in self.connection.execute("SELECT pid, pid_started FROM hosts")]
            self.connection.execute("DELETE FROM hosts")
        return left

    @property
    def log_held(self) -> float:
        """See `wal.Checkpoints.held`."""
        return self._checkpoints.held

    def retire(self) -> None:
        """Say that no runner serves any more, checkpoint, and close."""
        with self.fenced() as connection:
            connection.execute("UPDATE runner SET state = 'stopped', wanted = NULL")
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.close()

    def after_tick(self) -> None:
        """Checkpoint the log when it is due, and tell users who keeps it from getting shorter."""
        with self._mutex, translated(self.path):
            self._checkpoints.after_commit()
        self._tell_of_long_log()

    def _tell_of_long_log(self) -> None:
        """Notify users, at most once an hour, which process may block checkpoints."""
        if (grown := self._checkpoints.long) and time.monotonic() - self._told_of_log > TELL_EVERY_S:
            self._told_of_log = time.monotonic()
            names = ", ".join(f"{name} {pid}" for pid, name in users(self.path)) or "no process of this user"
            message = f"The log of the store has grown to {grown / 2**20:.0f} MiB, because somebody reads it without a pause."
            self.notice("warning", message, f"Open on it: {names}. End the one that reads; the log is then taken in.")
