"""The store as the runner uses it: taking ownership, checkpointing the write-ahead log, and all writes."""

from __future__ import annotations

import math
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from core.store.connection import transaction, translated
from core.store.content_writes import ContentWrites
from core.store.identity import file_id
from core.store.queue_writes import QueueWrites
from core.store.response_writes import ResponseWrites
from core.store.wal import Checkpoints, log_of, size, users

LOG_NOTICE_EVERY_S = 3600.0
LEAVE_MOVED_S = 10.0  # how long readers may delay the last checkpoint of a moved file
_STOPPED = "UPDATE runner SET state = 'stopped', wanted = NULL"


class RunnerStore(QueueWrites, ContentWrites, ResponseWrites):
    """Everything that the runner writes, through one connection that its threads share."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._checkpoints = Checkpoints(path, self.connection)
        self._log_notice_at = -math.inf

    def take_over(self, pid_started: float) -> list[tuple[int, float]]:
        """Become the owner: new token, interrupted jobs back into the queue. Returns a dead runner's engines: (pid, start)."""
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
            engines = [(r["pid"], r["pid_started"]) for r in self.connection.execute("SELECT pid, pid_started FROM hosts")]
            self.connection.execute("DELETE FROM hosts")
        return engines

    @property
    def log_backlog(self) -> float:
        """See `wal.Checkpoints.backlog`."""
        return self._checkpoints.backlog

    def settle(self) -> None:
        """Merge the whole log into the file, so that it can be moved or copied alone; readers may delay it."""
        with self._mutex, translated(self.path):
            self._checkpoints.settle()

    def leave_moved(self) -> None:
        """Merge the log into the file that was moved, and remove the log at the old place. The connection stays open.

        Closing it would make SQLite delete a log by its old name, which may be a new store's by then.
        """
        with self._mutex, translated(self.path):
            with transaction(self.connection):
                self.connection.execute(_STOPPED)
            if self._checkpoints.merge_all(LEAVE_MOVED_S):
                self._checkpoints.remove_log()

    def save_log(self) -> str:
        """Save what a deleted log holds, which only this connection still sees. Returns a sentence that says how.

        It is merged into the file, unless somebody has begun another log meanwhile: then it is kept in a file of its own.
        """
        log = log_of(self.path)
        with self._mutex, translated(self.path):
            if not size(log) and self._checkpoints.merge_all(LEAVE_MOVED_S):
                self._checkpoints.remove_log()
                return "All that it held was merged into the file."
        for descriptor in Path("/proc/self/fd").iterdir():
            with suppress(OSError):
                if file_id(descriptor) == self._log:
                    kept = Path(f"{log}.{time.time_ns()}")
                    shutil.copyfile(descriptor, kept)
                    return f"Another log has been begun meanwhile: what it held is kept as {kept}, and not in the store."
        return "What it held since the last checkpoint is lost."

    def retire(self) -> None:
        """Record that no runner serves any more, checkpoint, and close the connection."""
        with self.fenced() as connection:
            connection.execute(_STOPPED)
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.close()

    def after_tick(self) -> None:
        """Checkpoint the log when it is due, and notify users of a process that blocks checkpoints."""
        with self._mutex, translated(self.path):
            self._checkpoints.after_commit()
        self._notify_of_long_log()

    def _notify_of_long_log(self) -> None:
        """Notify users, at most once an hour, which process may block checkpoints."""
        if (log_bytes := self._checkpoints.long) and time.monotonic() - self._log_notice_at > LOG_NOTICE_EVERY_S:
            self._log_notice_at = time.monotonic()
            names = ", ".join(f"{name} {pid}" for pid, name in users(self.path)) or "no process of this user"
            size = f"{log_bytes / 2**20:.0f} MiB"
            message = f"The log of the store has grown to {size}, because somebody reads it without a pause."
            remedy = f"Open on it: {names}. End the one that reads; then the write-ahead log is merged into the file."
            self.notice("warning", message, remedy)
