"""What screens and `lrm-tui ls` show: frozen values, read in one transaction with the standard library alone."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from typing import Any

RUNNER_SILENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class JobRow:
    """One line of the queue. `done` and `total` count responses of a run, steps of a preparation."""

    id: int
    kind: str
    state: str
    wanted: str | None
    model: str
    compression: str
    benchmark: str | None
    engine: str | None
    item_limit: int | None
    done: int
    total: int | None
    active: int
    loops: int
    tokens_saved: int
    tokens_per_second: float | None
    started: float | None
    finished: float | None
    message: str
    error: str | None
    remedy: str | None

    def eta_s(self, now: float) -> float | None:
        """Seconds left at the pace so far; None where nothing is known."""
        if self.state != "running" or not self.total or not self.done or self.started is None:
            return None
        return (now - self.started) / self.done * (self.total - self.done)


@dataclass(frozen=True, slots=True)
class Loop:
    """A repetition collapse, as `core.collapse.Verdict` describes it; `audited`: it is let run on."""

    rule: str | None
    onset: int
    position: int
    period: int
    unit: str
    count: int
    audited: bool


@dataclass(frozen=True, slots=True)
class StreamRow:
    """One active response. `length` is characters so far, `chunks` the cursor for `tail`."""

    response_id: int
    job_id: int
    label: str
    item: str
    length: int
    tokens: int
    limit: int | None
    chunks: int
    started: float | None
    thinking: bool
    suspicious: bool
    loop: Loop | None
    resumed_at: int | None


@dataclass(frozen=True, slots=True)
class RunnerRow:
    """Whether a runner serves the store: its heartbeat is younger than a few seconds."""

    alive: bool
    pid: int | None
    beat: float | None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened and that a user should know."""

    id: int
    at: float
    level: str
    job_id: int | None
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One picture of the store."""

    jobs: tuple[JobRow, ...]
    streams: tuple[StreamRow, ...]
    runner: RunnerRow
    notices: tuple[Notice, ...]
    finished_responses: int
    reviews: int
    """Grows with each review by hand."""


_JOBS = """
SELECT j.id, j.kind, j.state, j.wanted, m.name AS model, v.compression, j.benchmark, j.engine, j.item_limit,
       j.progress_done, j.progress_total, j.tokens_per_second, j.started, j.finished, j.message, j.error, j.remedy,
       count(r.id) AS responses, coalesce(sum(r.state = 'done'), 0) AS done,
       coalesce(sum(r.state = 'active'), 0) AS active, coalesce(sum(r.collapsed = 1), 0) AS loops,
       coalesce(sum(CASE r.finish_reason WHEN 'repetition'
           THEN max(0, r.token_limit - r.thinking_tokens - r.answer_tokens) END), 0) AS tokens_saved
FROM jobs j JOIN variants v ON v.id = j.variant_id JOIN models m ON m.id = v.model_id
LEFT JOIN responses r ON r.job_id = j.id
GROUP BY j.id
ORDER BY j.state IN ('done', 'failed', 'cancelled'), j.position
LIMIT 500
"""

_STREAMS = """
SELECT r.id, r.job_id, m.name || ' ' || v.compression || ' ' || j.benchmark AS label, i.key AS item,
       coalesce(sum(length(c.text)), 0) AS length, coalesce(sum(length(c.token_ids)) / 4, 0) AS tokens,
       r.token_limit, count(c.seq) AS chunks, r.started, coalesce(max(instr(c.text, '</think>')), 0) AS ended,
       r.suspicious, r.collapsed, r.loop_rule, r.loop_onset, r.loop_position, r.loop_period, r.loop_unit, r.loop_count,
       r.audited, r.resumed_at
FROM responses r JOIN jobs j ON j.id = r.job_id JOIN variants v ON v.id = j.variant_id
JOIN models m ON m.id = v.model_id JOIN items i ON i.id = r.item_id
LEFT JOIN chunks c ON c.response_id = r.id
WHERE r.state = 'active'
GROUP BY r.id ORDER BY r.id LIMIT 500
"""


def read(connection: sqlite3.Connection) -> Snapshot:
    """The present state of the store."""
    connection.execute("BEGIN")
    try:
        return Snapshot(
            tuple(_job(row) for row in connection.execute(_JOBS)),
            tuple(_stream(row) for row in connection.execute(_STREAMS)),
            runner(connection),
            tuple(Notice(*row) for row in connection.execute(_NOTICES)),
            int(connection.execute("SELECT count(*) FROM responses WHERE state = 'done'").fetchone()[0]),
            int(connection.execute("SELECT coalesce(max(id), 0) FROM reviews").fetchone()[0]),
        )
    finally:
        connection.execute("ROLLBACK")


_NOTICES = "SELECT id, at, level, job_id, message, remedy FROM notices ORDER BY id DESC LIMIT 50"


def runner(connection: sqlite3.Connection) -> RunnerRow:
    """The runner's row, judged by its heartbeat."""
    row = connection.execute("SELECT pid, beat, state FROM runner WHERE id = 1").fetchone()
    fresh = row["state"] == "serving" and time.time() - (row["beat"] or 0) < RUNNER_SILENCE_S
    return RunnerRow(fresh, row["pid"], row["beat"])


def tail(connection: sqlite3.Connection, response_id: int, after: int) -> tuple[str, int]:
    """What an active response has gained since cursor `after`, and the new cursor (0 starts at the beginning)."""
    rows = connection.execute(
        "SELECT seq, text FROM chunks WHERE response_id = ? AND seq >= ? ORDER BY seq", (response_id, after)
    ).fetchall()
    return "".join(row["text"] for row in rows), (rows[-1]["seq"] + 1 if rows else after)


def response(connection: sqlite3.Connection, response_id: int) -> dict[str, Any] | None:
    """One whole response: its row, texts, question, gold answers and where it came from."""
    row = connection.execute(
        "SELECT r.*, t.prompt, t.text, i.key, i.fields, i.gold, j.benchmark, j.engine, j.engine_version, j.sampling, "
        "j.prompt_version, m.name AS model, v.compression, v.sha256 "
        "FROM responses r JOIN items i ON i.id = r.item_id JOIN jobs j ON j.id = r.job_id "
        "JOIN variants v ON v.id = j.variant_id JOIN models m ON m.id = v.model_id "
        "LEFT JOIN response_texts t ON t.response_id = r.id WHERE r.id = ?",
        (response_id,),
    ).fetchone()
    return dict(row) if row else None


def _job(row: sqlite3.Row) -> JobRow:
    run = row["kind"] == "run"
    total = (row["responses"] or row["item_limit"]) if run else row["progress_total"]
    done = row["done"] if run else row["progress_done"]
    return JobRow(
        row["id"], row["kind"], row["state"], row["wanted"], row["model"], row["compression"], row["benchmark"],
        row["engine"], row["item_limit"], done, total, row["active"], row["loops"], row["tokens_saved"],
        row["tokens_per_second"],
        row["started"], row["finished"], row["message"], row["error"], row["remedy"],
    )  # fmt: skip


def _stream(row: sqlite3.Row) -> StreamRow:
    return StreamRow(
        row["id"], row["job_id"], row["label"], row["item"], row["length"], row["tokens"], row["token_limit"],
        row["chunks"], row["started"], not row["ended"], bool(row["suspicious"]),
        _loop(row), row["resumed_at"],
    )  # fmt: skip


def _loop(row: sqlite3.Row) -> Loop | None:
    if not row["collapsed"] or row["loop_position"] is None:
        return None
    numbers = (row["loop_onset"], row["loop_position"], row["loop_period"], row["loop_unit"], row["loop_count"])
    return Loop(row["loop_rule"], *numbers, bool(row["audited"]))
