"""Everything that the runner writes. Each transaction first proves that this runner still owns the store.

The proof is a fencing token: taking over adds one to `runner.token`, and a runner whose token is not the row's any more
gets LeaseLost before it has written anything.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sqlite3
import threading
import time
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.base import Item
from core.errors import LeaseLost, StoreDamaged
from core.files.redact import mask
from core.store.connection import connect, transaction, translated
from core.store.wal import Checkpoints, users

TELL_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Pending:
    """A response still to be had, with what an earlier attempt has stored."""

    id: int
    position: int
    seed: int
    attempt: int
    fields: Mapping[str, str]
    gold: Sequence[str]
    key: str
    text: str
    ids: tuple[int, ...]
    chunks: int
    empty_replies: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A response that has entered the batch at a time (seconds since the epoch), with what the engine says of it."""

    response: Pending
    at: float
    prompt: str
    prompt_tokens: int | None
    limit: int
    empty_replies: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens to append to an active response."""

    response_id: int
    seq: int
    text: str
    ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished response: the columns of its row, and the texts that stand apart."""

    response_id: int
    columns: Mapping[str, Any]
    text: str
    ids: Sequence[int]


class RunnerStore:
    """The store in the hands of the one runner, whose threads share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = connect(path, "runner")
        self._mutex = threading.RLock()  # one transaction at a time on the one connection that may checkpoint
        self._checkpoints = Checkpoints(path, self.connection)
        self._told_of_log = -math.inf
        self._damage: StoreDamaged | None = None
        self._file = _file(path)
        self.token = 0
        self.stop_asked = False

    @contextmanager
    def fenced(self) -> Iterator[sqlite3.Connection]:
        """A transaction that renews the heartbeat and fails with LeaseLost if another runner took over.

        A store that was found damaged is not written to again: every later call fails with the same StoreDamaged.
        """
        if self._damage is not None:
            raise self._damage
        if _file(self.path) not in (self._file, None):
            raise LeaseLost(
                f"{self.path} was replaced while a runner served it.", "Start the runner again; the old file is gone."
            )
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

    def wishes(self, job: int | None) -> tuple[bool, str | None]:
        """Whether the runner should stop, and what users want of the job it is at."""
        with self._mutex:
            stop = self.stop_asked or self.connection.execute("SELECT wanted FROM runner").fetchone()[0] == "stop"
            row = self.connection.execute("SELECT wanted FROM jobs WHERE id = ?", (job,)).fetchone() if job else None
        return stop, row["wanted"] if row else None

    @property
    def log_held(self) -> float:
        """See `wal.Checkpoints.held`."""
        return self._checkpoints.held

    def beat(self) -> None:
        """Show that the runner lives."""
        with self.fenced():
            pass

    def retire(self) -> None:
        """Say that no runner serves any more, checkpoint, and close."""
        with self.fenced() as connection:
            connection.execute("UPDATE runner SET state = 'stopped', wanted = NULL")
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.close()

    def startable(self) -> list[dict[str, Any]]:
        """The jobs in the queue that can start, in their order; runs whose variant could not be made fail instead."""
        with self._mutex:
            if self.connection.execute(_ORPHANS).fetchone() is not None:
                with self.fenced() as connection:
                    self._fail_orphans(connection)
            return [dict(row) for row in self.connection.execute(_STARTABLE)]

    def claim(self, job: int) -> dict[str, Any] | None:
        """Lease a job to this runner; None where it cannot start any more."""
        with self.fenced() as connection:
            row = connection.execute(_CLAIMED, (job,)).fetchone()
            if row is None:
                return None
            now = time.time()
            connection.execute(
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, started = coalesce(started, :now), "
                "lease_token = :token, message = '' WHERE id = :id",
                {"now": now, "token": self.token, "id": row["id"]},
            )
            start = (row["id"], row["attempts"] + 1, self.token, now)
            connection.execute("INSERT INTO starts (job_id, attempt, token, at) VALUES (?, ?, ?, ?)", start)
            return dict(row)

    def _fail_orphans(self, connection: sqlite3.Connection) -> None:
        """A run whose variant could not be made fails with the reason, and the queue goes on."""
        for row in connection.execute(_ORPHANS).fetchall():
            connection.execute(
                "UPDATE jobs SET state = 'failed', finished = ?, error = ?, remedy = ? WHERE id = ?",
                (time.time(), f"Its variant was not made: {row['error'] or row['state']}", row["remedy"], row["id"]),
            )

    def end_job(self, job: int, state: str, error: str | None = None, remedy: str | None = None) -> None:
        """Close a job (or put it back with state `queued` or `paused`); what was active waits with its tokens."""
        error = None if error is None else mask(error)
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

    def say(self, job: int, message: str) -> None:
        """What a job waits for, written where it is something else."""
        with self._mutex:
            said = self.connection.execute("SELECT message FROM jobs WHERE id = ?", (job,)).fetchone()
            if said is not None and said[0] != message:
                with self.fenced() as connection:
                    connection.execute("UPDATE jobs SET message = ? WHERE id = ?", (message, job))

    def notice(self, level: str, message: str, remedy: str = "", job: int | None = None) -> None:
        """Tell users something."""
        with self.fenced() as connection:
            connection.execute(
                "INSERT INTO notices (at, level, job_id, message, remedy) VALUES (?, ?, ?, ?, ?)",
                (time.time(), level, job, mask(message), remedy),
            )

    def progress(self, job: int, done: int, total: int | None, message: str) -> None:
        """Where a preparation stands."""
        with self.fenced() as connection:
            connection.execute(
                "UPDATE jobs SET progress_done = ?, progress_total = ?, message = ? WHERE id = ?",
                (done, total, message, job),
            )

    def variant_ready(self, job: int, variant: int, facts: Mapping[str, Any]) -> None:
        """Store what a preparation made, and close its job."""
        with self.fenced() as connection:
            connection.execute(
                "UPDATE variants SET path = :path, sha256 = :sha256, bytes = :bytes, parameters = :parameters, "
                "bits_per_weight = :bits_per_weight, sparsity = :sparsity, ready_at = :now WHERE id = :id",
                {**facts, "now": time.time(), "id": variant},
            )
            connection.execute(
                "UPDATE jobs SET state = 'done', finished = ?, message = 'ready', progress_done = "
                "coalesce(progress_total, 1), progress_total = coalesce(progress_total, 1) WHERE id = ?",
                (time.time(), job),
            )

    def host_started(self, pid: int, started: float, job: int) -> None:
        """Remember an engine, so that it can be ended should this runner be killed."""
        with self.fenced() as connection:
            connection.execute("INSERT OR REPLACE INTO hosts VALUES (?, ?, ?, ?)", (pid, started, self.token, job))

    def host_ended(self, pid: int) -> None:
        """Forget an engine that has ended."""
        with self.fenced() as connection:
            connection.execute("DELETE FROM hosts WHERE pid = ?", (pid,))

    def plan(self, job: int, benchmark: str, items: Sequence[Item], seeds: Sequence[int], versions: Mapping[str, str]) -> None:
        """Make a pending response for every item that has none yet; those under way with an engine that died wait again."""
        with self.fenced() as connection:
            connection.execute("UPDATE responses SET state = 'pending' WHERE job_id = ? AND state = 'active'", (job,))
            connection.execute(
                "UPDATE jobs SET prompt_version = :prompt, engine_version = :engine WHERE id = :id",
                {**versions, "id": job},
            )
            for position, (item, seed) in enumerate(zip(items, seeds, strict=True)):
                connection.execute(
                    "INSERT OR IGNORE INTO responses (job_id, item_id, position, seed) VALUES (?, ?, ?, ?)",
                    (job, item_id(connection, benchmark, item), position, seed),
                )

    def pending(self, job: int) -> list[Pending]:
        """The responses that are still to be had, those begun before first, with their stored tokens."""
        with self._mutex:
            rows = self.connection.execute(_PENDING.format("r.job_id = ?"), (job,)).fetchall()
            return [self._with_tokens(row) for row in rows]

    def _with_tokens(self, row: sqlite3.Row) -> Pending:
        chunks = self.connection.execute(
            "SELECT seq, text, token_ids FROM chunks WHERE response_id = ? ORDER BY seq", (row["id"],)
        ).fetchall()
        ids: array[int] = array("I")
        for chunk in chunks:
            ids.frombytes(chunk["token_ids"])
        text = "".join(chunk["text"] for chunk in chunks)
        fields, gold = json.loads(row["fields"]), json.loads(row["gold"])
        after = chunks[-1]["seq"] + 1 if chunks else 0
        known = (row["id"], row["position"], row["seed"], row["attempt"], fields, gold, row["key"])
        return Pending(*known, text, tuple(ids), after, row["empty_replies"])

    def take_back(self, responses: Sequence[int]) -> list[Pending]:
        """Let responses wait again whose engine has died, and return them with their stored tokens."""
        marks = ", ".join("?" * len(responses))
        with self.fenced() as connection:
            connection.execute(f"UPDATE responses SET state = 'pending' WHERE state = 'active' AND id IN ({marks})", responses)
        with self._mutex:
            rows = self.connection.execute(_PENDING.format(f"r.id IN ({marks})"), responses).fetchall()
            return [self._with_tokens(row) for row in rows]

    def discard(self, response: int) -> None:
        """Forget the stored tokens of an active response that begins anew."""
        with self.fenced() as connection:
            connection.execute("DELETE FROM chunks WHERE response_id = ?", (response,))
            connection.execute("UPDATE responses SET resumed_at = NULL, collapsed = NULL WHERE id = ?", (response,))

    def tick(
        self,
        job: int,
        begun: Iterable[Begun],
        chunks: Iterable[Chunk],
        outcomes: Iterable[Outcome],
        loops: Mapping[int, Mapping[str, Any]],
        speed: float | None,
    ) -> None:
        """One transaction for all streams: who began, new tokens, finished responses, columns of loops, the job's pace."""
        with self.fenced() as connection:
            for entered in begun:
                _begin(connection, entered)
            for chunk in chunks:
                connection.execute(
                    "INSERT INTO chunks VALUES (?, ?, ?, ?)",
                    (chunk.response_id, chunk.seq, chunk.text, array("I", chunk.ids).tobytes()),
                )
            for response, columns in loops.items():
                _update(connection, response, columns)
            for outcome in outcomes:
                self._fold(connection, outcome)
            connection.execute(
                "UPDATE jobs SET tokens_per_second = ? WHERE id = ?",
                (speed, job),
            )
        with self._mutex, translated(self.path):
            self._checkpoints.after_commit()
        self._tell_of_long_log()

    def _tell_of_long_log(self) -> None:
        """Say once in a while which process may keep the log of the store from being taken in."""
        if (grown := self._checkpoints.long) and time.monotonic() - self._told_of_log > TELL_EVERY_S:
            self._told_of_log = time.monotonic()
            names = ", ".join(f"{name} {pid}" for pid, name in users(self.path)) or "no process of this user"
            message = f"The log of the store has grown to {grown / 2**20:.0f} MiB, because somebody reads it without a pause."
            self.notice("warning", message, f"Open on it: {names}. End the one that reads; the log is then taken in.")

    def _fold(self, connection: sqlite3.Connection, outcome: Outcome) -> None:
        _update(connection, outcome.response_id, {**outcome.columns, "state": "done", "finished": time.time()})
        connection.execute(
            "INSERT INTO response_texts (response_id, prompt, text, token_ids) VALUES (?, '', ?, ?) ON CONFLICT (response_id) "
            "DO UPDATE SET text = excluded.text, token_ids = excluded.token_ids",
            (outcome.response_id, outcome.text, array("I", outcome.ids).tobytes()),
        )
        connection.execute("DELETE FROM chunks WHERE response_id = ?", (outcome.response_id,))


def _begin(connection: sqlite3.Connection, begun: Begun) -> None:
    """A response that was begun before is marked as resumed at token n."""
    response = begun.response
    resumed = len(response.ids) or None
    connection.execute(
        "UPDATE responses SET state = 'active', attempt = attempt + 1, prompt_tokens = ?, token_limit = ?, "
        "started = coalesce(started, ?), resumed_at = coalesce(?, resumed_at), empty_replies = ? WHERE id = ?",
        (begun.prompt_tokens, begun.limit, begun.at, resumed, begun.empty_replies, response.id),
    )
    connection.execute(
        "INSERT INTO response_texts (response_id, prompt) VALUES (?, ?) "
        "ON CONFLICT (response_id) DO UPDATE SET prompt = excluded.prompt",
        (response.id, begun.prompt),
    )


def _file(path: Path) -> tuple[int, int] | None:
    """Which file lies at a path now; (0, 0) where none does, None where the system does not say."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _update(connection: sqlite3.Connection, response: int, columns: Mapping[str, Any]) -> None:
    sets = ", ".join(f"{name} = :{name}" for name in columns)
    connection.execute(f"UPDATE responses SET {sets} WHERE id = :id", {**columns, "id": response})


def item_id(connection: sqlite3.Connection, benchmark: str, item: Item) -> int:
    """The row of a question, made where there is none; a question whose text or answers changed is another one."""
    fields, gold = json.dumps(dict(item.fields), ensure_ascii=False), json.dumps(list(item.gold), ensure_ascii=False)
    revision = hashlib.sha256(f"{fields}{gold}".encode()).hexdigest()[:16]
    key = (benchmark, item.key, revision)
    connection.execute(
        "INSERT OR IGNORE INTO items (benchmark, key, revision, fields, gold) VALUES (?, ?, ?, ?, ?)",
        (*key, fields, gold),
    )
    sql = "SELECT id FROM items WHERE benchmark = ? AND key = ? AND revision = ?"
    return int(connection.execute(sql, key).fetchone()[0])


_WAITING = """
SELECT j.*, m.name AS model, m.source, m.format AS source_format, v.compression, v.format, v.path
FROM jobs j JOIN variants v ON v.id = j.variant_id JOIN models m ON m.id = v.model_id
WHERE j.state = 'queued' AND (j.kind = 'prepare' OR v.ready_at IS NOT NULL)
"""
_STARTABLE = f"{_WAITING} ORDER BY j.position LIMIT 100"
_CLAIMED = f"{_WAITING} AND j.id = ?"
_ORPHANS = """
SELECT j.id, p.error, p.remedy, p.state FROM jobs j JOIN variants v ON v.id = j.variant_id
JOIN jobs p ON p.id = (SELECT max(id) FROM jobs WHERE kind = 'prepare' AND variant_id = v.id)
WHERE j.kind = 'run' AND j.state = 'queued' AND v.ready_at IS NULL AND p.state IN ('failed', 'cancelled')
"""
_PENDING = """
SELECT r.id, r.position, r.seed, r.attempt, r.empty_replies, i.fields, i.gold, i.key
FROM responses r JOIN items i ON i.id = r.item_id
WHERE {} AND r.state = 'pending'
ORDER BY EXISTS (SELECT 1 FROM chunks c WHERE c.response_id = r.id) DESC, r.position
"""
