"""What screens and `lrm-tui ls` show: frozen values, read with the standard library alone. `core.store.watch` reads them."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from typing import cast

from core.store.columns import ResponseRow
from core.store.joins import VARIANT_OF_JOB

RUNNER_SILENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class JobRow:
    """One line of the queue. `done` and `total` count responses of a run, steps of a preparation; `pid` is its engine's."""

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
    pid: int | None = None

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
    """One active response. `length`: characters so far; `speed`: recent tokens/s; `novelty`: see `core.collapse.repetition`."""

    response_id: int
    job_id: int
    variant: str
    benchmark: str
    item: str
    length: int
    tokens: int
    limit: int | None
    started: float | None
    attempt: int
    thinking: bool
    suspicious: bool
    loop: Loop | None
    resumed_at: int | None
    speed: float | None
    novelty: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RunnerRow:
    """Whether a runner serves the store: its heartbeat is at most a few seconds old. `lost`: it ended without saying so;
    `stopping`: it starts nothing any more.
    """

    alive: bool
    pid: int | None
    beat: float | None
    lost: bool = False
    stopping: bool = False


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
    """The state of the store at one moment."""

    jobs: tuple[JobRow, ...]
    streams: tuple[StreamRow, ...]
    runner: RunnerRow
    notices: tuple[Notice, ...]
    finished_responses: int
    reviews: int
    """Grows with each review by hand."""


def runner(connection: sqlite3.Connection) -> RunnerRow:
    """The runner's row, judged by its heartbeat."""
    row = connection.execute("SELECT pid, beat, state, wanted FROM runner WHERE id = 1").fetchone()
    serving = row["state"] == "serving"
    fresh = serving and time.time() - (row["beat"] or 0) < RUNNER_SILENCE_S
    return RunnerRow(fresh, row["pid"], row["beat"], serving and not fresh, row["wanted"] == "stop")


def tail(connection: sqlite3.Connection, response_id: int, after: int) -> tuple[str, int]:
    """What an active response has gained since cursor `after`, and the new cursor (0 starts at the beginning)."""
    rows = connection.execute(
        "SELECT seq, text FROM chunks WHERE response_id = ? AND seq >= ? ORDER BY seq", (response_id, after)
    ).fetchall()
    return "".join(row["text"] for row in rows), (rows[-1]["seq"] + 1 if rows else after)


def response(connection: sqlite3.Connection, response_id: int) -> ResponseRow | None:
    """One whole response: its row, texts, question, gold answers and where it came from."""
    row = connection.execute(
        "SELECT r.*, t.prompt, t.text, i.key, i.fields, i.gold, j.benchmark, j.engine, j.engine_version, j.sampling, "
        "j.prompt_version, m.name || v.suffix AS model, a.compression, a.sha256 "
        "FROM responses r JOIN items i ON i.id = r.item_id JOIN jobs j ON j.id = r.job_id "
        f"{VARIANT_OF_JOB} "
        "LEFT JOIN response_texts t ON t.response_id = r.id WHERE r.id = ?",
        (response_id,),
    ).fetchone()
    return cast(ResponseRow, dict(row)) if row else None
