"""kill -9 of runner, supervisor, host and screen at random moments of a demo: `python -m tests.e2e.kill --trials 20`.

Before every kill the store is read; afterwards every finished response must be there unchanged and once, every stored
token of an unfinished one must begin its final text, and at the end no process of ours may be left.
"""

from __future__ import annotations

import argparse
import os
import pty
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil

from core import jobs
from core.demo import queue_demo
from core.launch import ensure_runner, status, stop_runner
from core.store.connection import connect
from core.supervisor import is_supervised

LRM = [sys.executable, "-m", "tui.entry"]
TARGETS = ("runner", "supervisor", "host", "screen")
RECOVERY_S = 180.0
MEETING_S = 10.0


class Lost(AssertionError):
    """A promise was broken."""


def finished(connection: sqlite3.Connection) -> dict[int, tuple[str, bytes]]:
    """Every finished response: id -> text and token ids."""
    sql = (
        "SELECT r.id, t.text, t.token_ids FROM responses r JOIN response_texts t ON t.response_id = r.id WHERE r.state = 'done'"
    )
    return {row[0]: (row[1], row[2]) for row in connection.execute(sql)}


def stored(connection: sqlite3.Connection) -> dict[int, str]:
    """The stored text of every unfinished response."""
    sql = "SELECT response_id, text FROM chunks ORDER BY response_id, seq"
    texts: dict[int, str] = {}
    for response, text in connection.execute(sql):
        texts[response] = texts.get(response, "") + text
    return texts


@contextmanager
def screen(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The app in a pseudo-terminal of its own, whose output is read and thrown away."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen(
        [*LRM, "--db", str(path)], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    threading.Thread(target=_drain, args=(ours,), daemon=True).start()
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _drain(descriptor: int) -> None:
    try:
        while os.read(descriptor, 65536):
            pass
    except OSError:
        os.close(descriptor)


def meet(target: str, path: Path, connection: sqlite3.Connection, rng: random.Random) -> bool:
    """Kill one process of a kind, waiting for one to come. Returns False where none came: the demo has ended."""
    deadline = time.monotonic() + MEETING_S
    while not (met := kill(target, path, connection, rng)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met


def kill(target: str, path: Path, connection: sqlite3.Connection, rng: random.Random) -> bool:
    """Kill one process of a kind. Returns whether there was one."""
    if target == "screen":
        with screen(path) as process:
            time.sleep(rng.uniform(0.2, 1.5))
            os.kill(process.pid, signal.SIGKILL)
        return True
    if target == "supervisor":
        return _kill_supervisor(path)
    sql = "SELECT pid FROM runner WHERE state = 'serving'" if target == "runner" else "SELECT pid FROM hosts"
    row = connection.execute(sql).fetchone()
    try:
        if row is None:
            return False
        os.kill(row[0], signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _kill_supervisor(path: Path) -> bool:
    """Kill the process of the store that is neither its runner nor a screen."""
    for pid in left_behind(path):
        with suppress(psutil.Error, ProcessLookupError):
            command = psutil.Process(pid).cmdline()
            if "core.launch" in command and "--worker" not in command:
                os.kill(pid, signal.SIGKILL)
                return True
    return False


def check(connection: sqlite3.Connection, before: dict[int, tuple[str, bytes]], begun: dict[int, str]) -> None:
    """Everything that was stored before a kill is still there, unchanged."""
    after, unfinished = finished(connection), stored(connection)
    for response, content in before.items():
        if after.get(response) != content:
            raise Lost(f"finished response {response} changed or is gone")
    for response, text in begun.items():
        now = after[response][0] if response in after else unfinished.get(response, "")
        if not now.startswith(text):
            raise Lost(f"stored tokens of response {response} changed or are gone")


def wait_for(path: Path, seconds: float = RECOVERY_S) -> float:
    """Wait until a runner serves the store (again). Returns how long that took."""
    began = time.monotonic()
    while not status(path).alive:
        if time.monotonic() - began > seconds:
            raise Lost("no runner came back")
        time.sleep(0.05)
    return time.monotonic() - began


def _wait_for_supervisor(path: Path) -> None:
    """Nobody brings back a runner that is killed together with its supervisor."""
    deadline = time.monotonic() + RECOVERY_S
    while not is_supervised(path):
        if time.monotonic() > deadline:
            raise Lost("no supervisor came back")
        time.sleep(0.05)


def left_behind(path: Path) -> list[int]:
    """Processes that still work for this store."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        if process.pid != os.getpid() and str(path) in (process.info["cmdline"] or []):
            found.append(process.pid)
    return found


def torture(folder: Path, trials: int, limit: int, seed: int, targets: tuple[str, ...] = TARGETS) -> dict[str, float]:
    """Run a demo under `trials` kills of each target. Returns how many kills met a process, and the slowest return; raises Lost."""
    rng, path = random.Random(seed), folder / "runs.db"
    ids = queue_demo(path, limit)
    ensure_runner(path)
    connection = connect(path, "reader")
    hosts: set[int] = set()
    met: dict[str, float] = dict.fromkeys(targets, 0)
    slowest = 0.0
    for target in rng.sample(list(targets) * trials, trials * len(targets)):
        time.sleep(rng.uniform(0.1, 1.5))
        hosts |= {row[0] for row in connection.execute("SELECT pid FROM hosts")}
        before, begun = finished(connection), stored(connection)
        met[target] += meet(target, path, connection, rng)
        slowest = max(slowest, wait_for(path))
        _wait_for_supervisor(path)
        check(connection, before, begun)
    last, begun = finished(connection), stored(connection)
    _until_done(path, connection, ids)
    check(connection, last, begun)
    _settle(path, connection, ids, limit, hosts)
    return met | {"slowest return of a runner in s": round(slowest, 1)}


def _until_done(path: Path, connection: sqlite3.Connection, ids: list[int]) -> None:
    marks = ", ".join("?" * len(ids))
    sql = f"SELECT id, state, error FROM jobs WHERE id IN ({marks}) AND state <> 'done'"
    requeued: set[int] = set()  # no kill comes any more, so that a run may fail of one only once
    while rows := connection.execute(sql, ids).fetchall():
        failed = [tuple(row) for row in rows if row[1] in ("failed", "cancelled")]
        for number, _, error in failed:
            if error is None or "The engine died" not in error or number in requeued:
                raise Lost(f"runs ended otherwise than done: {failed}")
            requeued.add(number)
            _requeue(path, number)
        wait_for(path)
        time.sleep(0.3)


def _requeue(path: Path, job: int) -> None:
    """What the error of a run says whose engine was killed three times in a row before it could finish anything."""
    with closing(connect(path, "user")) as connection:
        jobs.requeue(connection, job)
    ensure_runner(path)


def _settle(path: Path, connection: sqlite3.Connection, ids: list[int], limit: int, hosts: set[int]) -> None:
    for job in ids:
        counts = connection.execute(
            "SELECT count(*), count(DISTINCT item_id), sum(state = 'done') FROM responses WHERE job_id = ?", (job,)
        ).fetchone()
        if tuple(counts) != (limit, limit, limit):
            raise Lost(f"run {job} has {tuple(counts)} responses, questions and finished ones, not {limit} each")
    if connection.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
        raise Lost("the store is damaged")
    stop_runner(path)
    time.sleep(1.5)
    if left := left_behind(path):
        raise Lost(f"processes left behind: {left}")
    if left := [pid for pid in hosts if psutil.pid_exists(pid) and "host.py" in " ".join(psutil.Process(pid).cmdline())]:
        raise Lost(f"engine hosts left behind: {left}")


def main() -> None:
    """Run the long form and print what was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20, help="kills of each target")
    parser.add_argument("--limit", type=int, default=40, help="questions a benchmark")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        met = torture(Path(folder), given.trials, given.limit, given.seed)
        connection = connect(Path(folder) / "runs.db", "reader")
        done, resumed = connection.execute("SELECT count(*), count(resumed_at) FROM responses").fetchone()
    print(f"kills that met a process: {met}; {done} responses, {resumed} resumed from stored tokens, 0 lost, 0 doubled, "
          f"0 processes left; {time.monotonic() - began:.0f} s")  # fmt: skip


if __name__ == "__main__":
    main()
