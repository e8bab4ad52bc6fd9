"""What the runner writes about jobs: claims, ends, messages, progress, and the processes that work at them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from core.files.redact import mask
from core.spec import PrepareJob, RunJob, Sampling, TemplateOptions
from core.store.batches import READY, left, remove_some
from core.store.columns import ArtifactFacts
from core.store.fence import FencedStore, storable
from core.store.joins import JOBS
from core.store.variants import move_to_content


class QueueWrites(FencedStore):
    """Writes about jobs."""

    def startable(self) -> list[PrepareJob | RunJob]:
        """The jobs in the queue that can start, in their order; runs whose variant could not be made fail instead."""
        with self._mutex:
            for batch in left(self.connection):
                with self.fenced() as connection:
                    remove_some(connection, batch)
            if self.connection.execute(_ORPHANS).fetchone() is not None:
                with self.fenced() as connection:
                    self._fail_orphans(connection)
            return [job_of(row) for row in self.connection.execute(_STARTABLE)]

    def claim(self, job: int) -> bool:
        """Lease a job to this runner. Returns False where it cannot start any more."""
        with self.fenced() as connection:
            row = connection.execute(_CLAIMED, (job,)).fetchone()
            if row is None:
                return False
            now = time.time()
            connection.execute(
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, started = coalesce(started, :now), "
                "lease_token = :token, message = '' WHERE id = :id",
                {"now": now, "token": self.token, "id": row["id"]},
            )
            start = (row["id"], row["attempts"] + 1, self.token, now)
            connection.execute("INSERT INTO starts (job_id, attempt, token, at) VALUES (?, ?, ?, ?)", start)
            return True

    def _fail_orphans(self, connection: sqlite3.Connection) -> None:
        """A run whose variant could not be made fails with the reason, and the queue goes on."""
        for row in connection.execute(_ORPHANS).fetchall():
            connection.execute(
                "UPDATE jobs SET state = 'failed', finished = ?, error = ?, remedy = ? WHERE id = ?",
                (time.time(), f"Its variant was not made: {row['error'] or row['state']}", row["remedy"], row["id"]),
            )

    def end_job(self, job: int, state: str, error: str | None = None, remedy: str | None = None) -> None:
        """Close a job (or put it back with state `queued` or `paused`); what was active waits with its tokens."""
        error = None if error is None else mask(storable(error))
        remedy = None if remedy is None else storable(remedy)
        with self.fenced() as connection:
            connection.execute("UPDATE responses SET state = 'pending' WHERE job_id = ? AND state = 'active'", (job,))
            connection.execute(
                "UPDATE jobs SET state = ?, wanted = NULL, error = ?, remedy = ?, tokens_per_second = NULL, "
                "lease_token = NULL, finished = ? WHERE id = ?",
                (state, error, remedy, None if state in ("queued", "paused") else time.time(), job),
            )
            if error:
                connection.execute(
                    "INSERT INTO notices (at, level, job_id, message, remedy) VALUES (?, 'error', ?, ?, ?)",
                    (time.time(), job, error, remedy or ""),
                )

    def put_back(self, job: int) -> None:
        """Return a job of this runner's to the queue after the store refused a write; its stored tokens stay."""
        with self.fenced() as connection:
            sql = "UPDATE jobs SET state = 'queued' WHERE state = 'running' AND lease_token = ? AND id = ?"
            connection.execute(sql, (self.token, job))
            connection.execute("UPDATE responses SET state = 'pending' WHERE state = 'active' AND job_id = ?", (job,))

    def put_back_others(self, at_work: Sequence[int]) -> None:
        """Return to the queue what this runner has claimed and does not work at: a claim that was reported as failed."""
        sql = "SELECT id FROM jobs WHERE state = 'running' AND lease_token = ?"
        with self._mutex:
            claimed = [row["id"] for row in self.connection.execute(sql, (self.token,))]
        for job in claimed:
            if job not in at_work:
                self.put_back(job)

    def set_message(self, job: int, message: str) -> None:
        """Write what a job waits for, unless the same is stored already."""
        message = storable(message)
        with self._mutex:
            stored = self.connection.execute("SELECT message FROM jobs WHERE id = ?", (job,)).fetchone()
            if stored is not None and stored[0] != message:
                with self.fenced() as connection:
                    connection.execute("UPDATE jobs SET message = ? WHERE id = ?", (message, job))

    def progress(self, job: int, done: int, total: int | None, message: str) -> None:
        """Write the progress of a preparation."""
        with self.fenced() as connection:
            connection.execute(
                "UPDATE jobs SET progress_done = ?, progress_total = ?, message = ? WHERE id = ?",
                (done, total, storable(message), job),
            )

    def artifact_ready(self, job: int, artifact: int, facts: ArtifactFacts) -> None:
        """Store the facts of an artifact that was prepared and of the model that it was made from, and close the job.

        Where the model's files have changed since the job was queued, it is an artifact of the model that they hold now.
        """
        with self.fenced() as connection:
            model = connection.execute(
                "SELECT m.sha256 FROM artifacts a JOIN models m ON m.id = a.model_id WHERE a.id = ?", (artifact,)
            ).fetchone()
            if model["sha256"] not in (None, facts["model_sha256"]):
                artifact = move_to_content(connection, artifact, facts["model_sha256"], facts["model_stamp"])
            connection.execute(
                "UPDATE artifacts SET path = :path, stamp = :stamp, sha256 = :sha256, bytes = :bytes, "
                "parameters = :parameters, bits_per_weight = :bits_per_weight, sparsity = :sparsity, ready_at = :now "
                "WHERE id = :id",
                {**facts, "now": time.time(), "id": artifact},
            )
            connection.execute(
                "UPDATE models SET sha256 = :model_sha256, stamp = :model_stamp "
                "WHERE id = (SELECT model_id FROM artifacts WHERE id = :id)",
                {**facts, "id": artifact},
            )
            connection.execute(
                "UPDATE jobs SET state = 'done', finished = ?, message = 'ready', progress_done = "
                "coalesce(progress_total, 1), progress_total = coalesce(progress_total, 1) WHERE id = ?",
                (time.time(), job),
            )

    def leave(self, *, if_idle: bool = False) -> bool:
        """Say that this runner starts nothing more. Returns whether that holds: `if_idle`, a job that can start keeps it.

        Whoever queues a job later sees it, and starts another runner.
        """
        with self.fenced() as connection:
            return connection.execute(_LEFT, (if_idle,)).rowcount == 1

    def host_started(self, pid: int, started: float, job: int) -> None:
        """Record an engine's process, so that the next runner can end it if this one is killed."""
        with self.fenced() as connection:
            connection.execute("INSERT OR REPLACE INTO hosts VALUES (?, ?, ?, ?)", (pid, started, self.token, job))

    def host_ended(self, pid: int) -> None:
        """Remove the record of a process that has ended."""
        with self.fenced() as connection:
            connection.execute("DELETE FROM hosts WHERE pid = ?", (pid,))


def job_of(row: sqlite3.Row) -> PrepareJob | RunJob:
    """A row of the queue as a value."""
    job = {name: row[name] for name in _JOB}
    if row["kind"] == "prepare":
        return PrepareJob(**job)
    return RunJob(
        **job,
        path=row["path"],
        benchmark=row["benchmark"],
        engine=row["engine"],
        sampling=Sampling(**json.loads(row["sampling"])),
        template_options=template_options(row),
        kv_type=row["kv_type"],
        date=datetime.fromtimestamp(row["created"]).date().isoformat(),
        seed=row["seed"],
        limit=row["item_limit"],
        samples=row["samples"],
        policy=row["policy"],
        audit_share=row["audit_share"],
        data=Path(row["data_folder"]) if row["data_folder"] else None,
        prompts=Path(row["prompts_file"]) if row["prompts_file"] else None,
    )


def template_options(variant: sqlite3.Row) -> TemplateOptions:
    """What a variant sets in its model's chat template."""
    return TemplateOptions(variant["thinking"], variant["effort"], variant["budget"], json.loads(variant["arguments"]))


_JOB = ("id", "artifact_id", "model", "source", "compression", "format", "sha256", "gpus", "replicas")
_WAITING = f"""
SELECT j.*, m.name AS model, m.source, a.id AS artifact_id, a.compression, a.format, a.path, a.sha256, v.kv_type, v.thinking,
       v.effort, v.budget, v.arguments FROM {JOBS}
WHERE j.state = 'queued' AND (j.kind = 'prepare' OR a.ready_at IS NOT NULL) AND {READY}
"""
_LEFT = f"UPDATE runner SET wanted = 'stop' WHERE NOT (? AND EXISTS ({_WAITING}))"
_STARTABLE = f"{_WAITING} ORDER BY j.position LIMIT 100"
_CLAIMED = f"{_WAITING} AND j.id = ?"
_ORPHANS = f"""
SELECT j.id, p.error, p.remedy, p.state FROM {JOBS}
JOIN jobs p ON p.id = (SELECT max(id) FROM jobs WHERE kind = 'prepare' AND variant_id IN
    (SELECT id FROM variants WHERE artifact_id = a.id))
WHERE j.kind = 'run' AND j.state = 'queued' AND a.ready_at IS NULL AND p.state IN ('failed', 'cancelled')
"""
