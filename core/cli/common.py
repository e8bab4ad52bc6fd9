"""What several commands share: the store and the data folder that are meant, and following runs to their end."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from core.errors import StoreError
from core.runner.client import ensure_runner
from core.spec import FINAL_STATES
from core.store.connection import connect, store_path
from core.store.snapshot import JobRow
from core.store.watch import read
from core.text import json_text, printable

POLL_S = 0.5
REVIVE_S = 10.0
LINE_EVERY_S = 15.0


def store(given: Namespace) -> Path:
    """The store of this call."""
    return store_path(given.db)


def data_folder(given: Namespace) -> Path | None:
    """The folder of real benchmark files: --data, else LRM_DATA; None means the hub."""
    named = given.data or os.environ.get("LRM_DATA")
    return Path(named).absolute() if named else None


def reading(given: Namespace) -> sqlite3.Connection:
    """A reader of the store. Raises StoreError where it does not exist yet."""
    path = store(given)
    try:
        return connect(path, "reader")
    except FileNotFoundError:
        raise StoreError(f"There is no store {path}.", "Queue a run first, or name another store with --db.") from None


def tables(given: Namespace) -> sqlite3.Connection:
    """A reader of the store for its tables, after what they need of ended runs has been packed, once a run."""
    from core.results.digests import prepare  # numpy, which the screen's first paint does without

    status = Console(stderr=True, markup=False, highlight=False, emoji=False).status("")

    def progress(done: int, total: int) -> None:
        status.update(f"Packing ended runs for the tables, once: {done:,} of {total:,}")
        status.start()

    try:
        prepare(store(given), progress)
    finally:
        status.stop()
    return reading(given)


def print_json(value: object) -> None:
    """Print data for programs."""
    print(json_text(value, indent=2))


def console() -> Console:
    """A console that leaves markup alone, since what it prints comes from models and files."""
    return Console(markup=False, highlight=False, emoji=False)


def follow(path: Path, jobs: Iterable[int]) -> bool:
    """Print progress until the jobs have ended, reviving a lost runner. Returns whether every one of them is done."""
    wanted = set(jobs)
    checked = time.monotonic()
    connection = connect(path, "reader")
    ticker = Ticker()
    try:
        while True:
            snapshot = read(connection)
            rows = [job for job in snapshot.jobs if job.id in wanted]
            for job in snapshot.jobs:
                if job.state == "running":
                    ticker.show(job.id, progress_line(job))
            if all(job.state in FINAL_STATES for job in rows):
                _report_failures(rows)
                return all(job.state == "done" for job in rows)
            if time.monotonic() - checked > REVIVE_S and not snapshot.runner.alive:
                ensure_runner(path)
                checked = time.monotonic()
            time.sleep(POLL_S)
    finally:
        ticker.stop()
        connection.close()


class Ticker:
    """Progress on stderr: one line in place on a terminal; in a file a line a job, and one more every LINE_EVERY_S."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, markup=False, highlight=False, emoji=False)
        self._status = self._console.status("")
        self._job, self._printed = 0, -LINE_EVERY_S
        self._status.start()

    def show(self, job: int, line: str) -> None:
        """Say where a job stands."""
        self._status.update(Text(line))
        due = job != self._job or time.monotonic() - self._printed >= LINE_EVERY_S
        if due and not self._console.is_terminal:
            self._console.print(line, soft_wrap=True)
            self._job, self._printed = job, time.monotonic()

    def stop(self) -> None:
        """Leave the terminal as it was."""
        self._status.stop()


def progress_line(job: JobRow) -> str:
    """One line on a running job: where it stands, how fast, how long still."""
    name = f"#{job.id} {job.model} {job.compression} {job.benchmark or 'prepare'}"
    count = f"{job.done}/{job.total if job.total is not None else '?'}"
    eta = job.eta_s(time.time())
    tail = "" if eta is None else f"  ETA {eta:.0f} s"
    speed = "" if job.tokens_per_second is None else f"  {job.tokens_per_second:,.0f} tokens/s"
    loops = f"  {job.loops} LOOP" if job.loops else ""
    return printable(f"{name}  {count}{speed}{tail}{loops}  {job.message}".rstrip())


def _report_failures(rows: list[JobRow]) -> None:
    for job in rows:
        if job.state != "done":
            name = f"#{job.id} {job.model} {job.compression} {job.benchmark or ''}"
            print(printable(f"{name}: {job.state}. {job.error or ''} {job.remedy or ''}".strip()), file=sys.stderr)
