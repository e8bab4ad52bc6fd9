"""Snapshots of the store, read incrementally: each costs what has changed since the last, not what the store holds.

Finished jobs are counted once, and of active responses only new chunks are read, so that hundreds of streams, and a million
stored responses, can be watched several times a second.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from core.collapse.repetition import Novelty
from core.engines.thinking import LONGEST_CLOSE, first_close
from core.spec import FINAL_STATES
from core.store.joins import JOBS, MODEL, VARIANT
from core.store.snapshot import JobRow, Loop, Notice, Snapshot, StreamRow, runner

SPEED_S = 4.0
"""Seconds over which a stream's speed is averaged."""


@dataclass(frozen=True, slots=True)
class _Counts:
    """Counts of the responses of one job."""

    responses: int = 0
    done: int = 0
    active: int = 0
    loops: int = 0
    saved: int = 0


@dataclass(slots=True)
class _Stream:
    """What has been read of an active response; `samples`: (time, tokens so far), from which its speed is computed."""

    attempt: int
    chunks: int = 0
    length: int = 0
    tokens: int = 0
    thinking: bool = True
    end: str = ""
    novelty: Novelty = field(default_factory=Novelty)
    samples: deque[tuple[float, int]] = field(default_factory=deque)

    def read(self, connection: sqlite3.Connection, response: int, now: float) -> None:
        """Read the chunks that were added since the last call."""
        sql = "SELECT seq, text, length(token_ids) / 4 FROM chunks WHERE response_id = ? AND seq >= ? ORDER BY seq"
        first = not self.samples
        for seq, text, tokens in connection.execute(sql, (response, self.chunks)):
            self.chunks = seq + 1
            self.length += len(text)
            self.tokens += tokens
            self.novelty.feed(text)
            if self.thinking:
                self.end = self.end[-LONGEST_CLOSE:] + text
                self.thinking = first_close(self.end) is None
        if first or now - self.samples[-1][0] >= 0.2:
            self.samples.append((now, self.tokens))
        while len(self.samples) > 2 and now - self.samples[1][0] >= SPEED_S:
            self.samples.popleft()

    @property
    def speed(self) -> float | None:
        """Tokens per second over the last `SPEED_S` seconds; None until it was read twice."""
        (start, earlier), (end, tokens) = self.samples[0], self.samples[-1]
        return (tokens - earlier) / (end - start) if end > start else None


class Watch:
    """Reads `Snapshot`s over one connection, which nothing else uses while it reads."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection, self._clock = connection, clock
        self._final_counts: dict[tuple[int, float | None], _Counts] = {}
        self._streams: dict[int, _Stream] = {}

    def read(self) -> Snapshot:
        """The present state of the store, read in one transaction."""
        self._connection.execute("BEGIN")
        try:
            jobs = self._jobs()
            return Snapshot(
                jobs,
                self._active(),
                runner(self._connection),
                tuple(Notice(*row) for row in self._connection.execute(_NOTICES)),
                self._finished,
                int(self._connection.execute("SELECT coalesce(max(id), 0) FROM reviews").fetchone()[0]),
            )
        finally:
            self._connection.execute("ROLLBACK")

    def _jobs(self) -> tuple[JobRow, ...]:
        rows = self._connection.execute(_JOBS).fetchall()
        ended = {row["id"]: (row["id"], row["finished"]) for row in rows if row["state"] in FINAL_STATES}
        open_jobs = [row["id"] for row in rows if ended.get(row["id"]) not in self._final_counts]
        fresh = self._count(open_jobs, everything=len(open_jobs) == len(rows))
        counts = {job: self._final_counts.get(key) or fresh[job] for job, key in ended.items()}
        self._final_counts = {key: counts[job] for job, key in ended.items()}
        counts |= {job: fresh[job] for job in open_jobs}
        self._finished = sum(count.done for count in counts.values())
        return tuple(_job(row, counts[row["id"]]) for row in rows)

    def _count(self, jobs: list[int], everything: bool) -> dict[int, _Counts]:
        """Counts of these jobs; without responses all are zero."""
        counts = dict.fromkeys(jobs, _Counts())
        if everything:
            rows = self._connection.execute(_COUNTS.format("")).fetchall()
        else:
            rows = [r for job in jobs for r in self._connection.execute(_COUNTS.format("WHERE job_id = ?"), (job,))]
        counts |= {row["job_id"]: _Counts(*row[1:]) for row in rows}
        return counts

    def _active(self) -> tuple[StreamRow, ...]:
        rows = self._connection.execute(_STREAMS).fetchall()
        now = self._clock()
        before, self._streams = self._streams, {}
        for row in rows:
            stream = before.get(row["id"])
            if stream is None or stream.attempt != row["attempt"]:
                stream = _Stream(row["attempt"])
            stream.read(self._connection, row["id"], now)
            self._streams[row["id"]] = stream
        return tuple(_stream(row, self._streams[row["id"]]) for row in rows)


def read(connection: sqlite3.Connection) -> Snapshot:
    """The present state of the store, read once: speeds of streams are unknown."""
    return Watch(connection).read()


_NOTICES = "SELECT id, at, level, job_id, message, remedy FROM notices ORDER BY id DESC LIMIT 50"

_JOBS = f"""
SELECT j.id, j.kind, j.state, j.wanted, {MODEL} AS model, a.compression, j.benchmark, j.engine,
       j.item_limit * j.samples AS item_limit,
       j.progress_done, j.progress_total, j.tokens_per_second, j.started, j.finished,
       CASE WHEN j.doubt IS NULL THEN j.message ELSE 'doubtful: ' || j.doubt END AS message, j.error, j.remedy,
       CASE j.state WHEN 'running'  -- the engine that it started, else the only one, taken over from a run before it
           THEN coalesce((SELECT max(pid) FROM hosts WHERE job_id = j.id),
                         (SELECT CASE count(*) WHEN 1 THEN max(pid) END FROM hosts)) END AS pid
FROM {JOBS}
ORDER BY j.state IN ('done', 'failed', 'cancelled'), j.position
"""

_COUNTS = """
SELECT job_id, count(*), sum(state = 'done'), sum(state = 'active'), coalesce(sum(collapsed = 1), 0),
       coalesce(sum(CASE finish_reason WHEN 'repetition'
           THEN max(0, token_limit - thinking_tokens - answer_tokens) END), 0)
FROM responses {} GROUP BY job_id
"""

_STREAMS = f"""
SELECT r.id, r.job_id, {VARIANT} AS variant, j.benchmark,
       i.key || CASE WHEN j.samples > 1 THEN ' #' || (r.sample + 1) ELSE '' END AS item,
       r.token_limit, r.started,
       r.attempt, r.suspicious, r.collapsed, r.loop_rule, r.loop_onset, r.loop_position, r.loop_period, r.loop_unit,
       r.loop_count, r.audited, r.resumed_at
FROM {JOBS} JOIN responses r ON r.job_id = j.id AND r.state = 'active' JOIN items i ON i.id = r.item_id
WHERE j.state = 'running'
ORDER BY r.id LIMIT 500
"""


def _job(row: sqlite3.Row, counts: _Counts) -> JobRow:
    run = row["kind"] == "run"
    total = (counts.responses or row["item_limit"]) if run else row["progress_total"]
    done = counts.done if run else row["progress_done"]
    return JobRow(
        row["id"], row["kind"], row["state"], row["wanted"], row["model"], row["compression"], row["benchmark"],
        row["engine"], row["item_limit"], done, total, counts.active, counts.loops, counts.saved, row["tokens_per_second"],
        row["started"], row["finished"], row["message"], row["error"], row["remedy"], row["pid"],
    )  # fmt: skip


def _stream(row: sqlite3.Row, stream: _Stream) -> StreamRow:
    return StreamRow(
        row["id"], row["job_id"], row["variant"], row["benchmark"], row["item"], stream.length, stream.tokens,
        row["token_limit"], row["started"], row["attempt"], stream.thinking, bool(row["suspicious"]), _loop(row),
        row["resumed_at"], stream.speed, stream.novelty.levels,
    )  # fmt: skip


def _loop(row: sqlite3.Row) -> Loop | None:
    if not row["collapsed"] or row["loop_position"] is None:
        return None
    numbers = (row["loop_onset"], row["loop_position"], row["loop_period"], row["loop_unit"], row["loop_count"])
    return Loop(row["loop_rule"], *numbers, bool(row["audited"]))
