"""Following runs to their end: progress on stderr, a lost runner revived, failures told."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path

from core.cli.progress import Ticker
from core.runner.client import ensure_runner
from core.spec import FINAL_STATES
from core.store.connection import opened
from core.store.snapshot import JobRow
from core.store.watch import read
from core.text import printable

POLL_S = 0.5
REVIVE_S = 10.0


def follow(path: Path, jobs: Iterable[int]) -> bool:
    """Print progress until the jobs have ended, reviving a lost runner. Returns whether every one of them is done."""
    numbers = set(jobs)
    checked = time.monotonic()
    with opened(path, "reader") as connection, Ticker() as ticker:
        while True:
            snapshot = read(connection)
            rows = [job for job in snapshot.jobs if job.id in numbers]
            for job in snapshot.jobs:
                if job.state == "running":
                    label = f"{_name(job)}{_speed(job)}{_loops(job)}  {job.message}".rstrip()
                    ticker.show(job.id, progress_line(job), label, job.done, job.total)
            if all(job.state in FINAL_STATES for job in rows):
                break
            if time.monotonic() - checked > REVIVE_S and not snapshot.runner.alive:
                ensure_runner(path)
                checked = time.monotonic()
            time.sleep(POLL_S)
    _report_failures(rows)
    return all(job.state == "done" for job in rows)


def progress_line(job: JobRow) -> str:
    """One line on a running job: where it stands, how fast, how long still."""
    count = f"{job.done}/{job.total if job.total is not None else '?'}"
    eta = job.eta_s(time.time())
    tail = "" if eta is None else f"  ETA {eta:.0f} s"
    return printable(f"{_name(job)}  {count}{_speed(job)}{tail}{_loops(job)}  {job.message}".rstrip())


def _name(job: JobRow) -> str:
    return f"#{job.id} {job.model} {job.compression} {job.benchmark or 'prepare'}"


def _speed(job: JobRow) -> str:
    return "" if job.tokens_per_second is None else f"  {job.tokens_per_second:,.0f} tokens/s"


def _loops(job: JobRow) -> str:
    return f"  {job.loops} LOOP" if job.loops else ""


def _report_failures(rows: list[JobRow]) -> None:
    for job in rows:
        if job.state != "done":
            name = f"#{job.id} {job.model} {job.compression} {job.benchmark or ''}"
            print(printable(f"{name}: {job.state}. {job.error or ''} {job.remedy or ''}".strip()), file=sys.stderr)
