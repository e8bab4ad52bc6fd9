"""kill -9 of runner, supervisor, host and screen at random moments of demos: `python -m tests.e2e.kill --trials 20`.

`--trials` kills of the runner and `--others` of each of the rest, in random order; a demo that ends is followed by another, so
that there is work at every moment, and the moments reach well beyond the first token of an engine that starts again. Before every kill the store is read; afterwards the store must be sound, every finished
response there unchanged and once, and every stored token of an unfinished one must begin its final text. A runner that was killed
must be another's within a time that is measured, and at the end no process of ours may be left.
"""

from __future__ import annotations

import argparse
import os
import pty
import random
import signal
import sqlite3
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from core.jobs import queue
from core.jobs.study import queue_demo
from core.runner.client import ensure_runner, status, stop_runner
from core.runner.supervisor import is_supervised
from core.store.connection import connect
from tests.helpers.runs import LRM
from tests.helpers.waiting import until

VARIANTS = {"pocket": ("none", "q8_0", "q4_0", "magnitude-50")}  # quick to make
TARGETS = ("runner", "supervisor", "host", "screen")
RECOVERY_S = 180.0
PREPARED_S = 600.0
MEETING_S = 10.0
LONGEST = 2.0  # between two kills, in times from the start of a runner to its first stored tokens
PROMISED_S = 5.0


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


def meet(target: str, path: Path, connection: sqlite3.Connection, rng: random.Random) -> int:
    """Kill one process of a kind, waiting for one to come. Returns its number; 0 where none came."""
    deadline = time.monotonic() + MEETING_S
    while not (met := kill(target, path, connection, rng)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met


def kill(target: str, path: Path, connection: sqlite3.Connection, rng: random.Random) -> int:
    """Kill one process of a kind. Returns its number; 0 where there was none."""
    if target == "screen":
        with screen(path) as process:
            time.sleep(rng.uniform(0.2, 1.5))
            os.kill(process.pid, signal.SIGKILL)
        return process.pid
    if target == "supervisor":
        return _kill_supervisor(path)
    sql = "SELECT pid FROM runner WHERE state = 'serving'" if target == "runner" else "SELECT pid FROM hosts"
    row = connection.execute(sql).fetchone()
    try:
        if row is None:
            return 0
        os.kill(row[0], signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return int(row[0])


def _kill_supervisor(path: Path) -> int:
    """Kill the process of the store that is neither its runner nor a screen."""
    for pid in left_behind(path):
        with suppress(psutil.Error, ProcessLookupError):
            command = psutil.Process(pid).cmdline()
            if "core.runner" in command and "--serve" not in command:
                os.kill(pid, signal.SIGKILL)
                return pid
    return 0


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
    if (said := connection.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
        raise Lost(f"the store is damaged: {said}")


def wait_for(path: Path, killed: int = 0, seconds: float = RECOVERY_S) -> float:
    """Wait until a runner serves the store, another one than was killed. Returns how long that took."""
    began = time.monotonic()
    while not (row := status(path)).alive or row.pid == killed:
        if time.monotonic() - began > seconds:
            raise Lost("no runner came back")
        time.sleep(0.05)
    return time.monotonic() - began


def _wait_for_supervisor(path: Path) -> None:
    """Nobody brings back a runner that is killed together with its supervisor."""
    until(lambda: is_supervised(path), RECOVERY_S)


def left_behind(path: Path) -> list[int]:
    """Processes that still work for this store."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        if process.pid != os.getpid() and str(path) in (process.info["cmdline"] or []):
            found.append(process.pid)
    return found


@dataclass(slots=True)
class Met:
    """What the kills met."""

    kills: dict[str, int]
    under_way: int = 0
    """Kills at a moment when tokens of unfinished responses were stored."""
    back_s: list[float] = field(default_factory=list)
    """After each kill of a runner, the time until another one served, where the supervisor did not wait on purpose."""
    held_back: int = 0
    """Kills after which it did, since too many runners in a row had gained nothing."""
    responses: int = 0
    resumed: int = 0

    def __str__(self) -> str:
        soon = sum(seconds <= PROMISED_S for seconds in self.back_s)
        counts = ", ".join(f"{number} of the {target}" for target, number in self.kills.items())
        return (
            f"{sum(self.kills.values())} kills ({counts}), {self.under_way} of them amid stored tokens; {self.responses} responses, "
            f"{self.resumed} resumed from stored tokens, 0 lost, 0 doubled, 0 processes left; the runner was back after "
            f"{statistics.median(self.back_s):.1f} s (median; slowest {max(self.back_s):.1f} s; {soon} of {len(self.back_s)} within "
            f"{PROMISED_S:g} s), and {self.held_back} times later on purpose"
        )


def torture(folder: Path, kills: Mapping[str, int], limit: int, seed: int) -> Met:
    """Run demos of `limit` questions a benchmark under so many kills of each target; raises Lost."""
    rng, path = random.Random(seed), folder / "runs.db"
    ids = queue_demo(path, limit, VARIANTS)
    connection = connect(path, "reader")
    _prepare(path, connection, ids)
    longest = LONGEST * _first_tokens(path, connection)
    hosts: set[int] = set()
    met = Met(dict.fromkeys(kills, 0))
    order = [target for target, number in kills.items() for _ in range(number)]
    for target in rng.sample(order, len(order)):
        time.sleep(rng.uniform(0.05, longest))
        ids += [job for job in queue_demo(path, limit, VARIANTS) if job not in ids]
        hosts |= {row[0] for row in connection.execute("SELECT pid FROM hosts")}
        before, begun = finished(connection), stored(connection)
        killed = meet(target, path, connection, rng)
        back = wait_for(path, killed)
        _wait_for_supervisor(path)
        check(connection, before, begun)
        met.kills[target] += killed > 0
        met.under_way += bool(begun)
        if target == "runner" and killed:
            if _held_back(connection):
                met.held_back += 1
            else:
                met.back_s.append(back)
    last, begun = finished(connection), stored(connection)
    _until_done(path, connection, ids)
    check(connection, last, begun)
    _settle(path, connection, ids, limit, hosts)
    met.responses, met.resumed = connection.execute("SELECT count(*), count(resumed_at) FROM responses").fetchone()
    connection.close()
    return met


def _prepare(path: Path, connection: sqlite3.Connection, ids: list[int]) -> None:
    """Have the variants made while the runs are paused, so that every kill meets a run."""
    with closing(connect(path, "user")) as user:
        for job in ids:
            queue.pause(user, job)
        ensure_runner(path)
        waiting = "SELECT 1 FROM jobs WHERE kind = 'prepare' AND state <> 'done'"
        until(lambda: connection.execute(waiting).fetchone() is None, PREPARED_S)
        stop_runner(path)
        for job in ids:
            queue.requeue(user, job)


def _first_tokens(path: Path, connection: sqlite3.Connection) -> float:
    """Start the runner. Returns the seconds until tokens of a run are stored."""
    began = time.monotonic()
    ensure_runner(path)
    until(lambda: stored(connection), RECOVERY_S)
    return time.monotonic() - began


def _held_back(connection: sqlite3.Connection) -> bool:
    """Whether the supervisor's last word is that it waits because runners die without having got anywhere."""
    sql = "SELECT message FROM notices WHERE message LIKE 'The runner %' ORDER BY id DESC LIMIT 1"
    row = connection.execute(sql).fetchone()
    return row is not None and "in a row" in row[0]


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
        queue.requeue(connection, job)
    ensure_runner(path)


def _settle(path: Path, connection: sqlite3.Connection, ids: list[int], limit: int, hosts: set[int]) -> None:
    for job in ids:
        counts = connection.execute(
            "SELECT count(*), count(DISTINCT item_id), sum(state = 'done') FROM responses WHERE job_id = ?", (job,)
        ).fetchone()
        if tuple(counts) != (limit, limit, limit):
            raise Lost(f"run {job} has {tuple(counts)} responses, questions and finished ones, not {limit} each")
    stop_runner(path)
    time.sleep(1.5)
    if left := left_behind(path):
        raise Lost(f"processes left behind: {left}")
    if left := [pid for pid in hosts if psutil.pid_exists(pid) and "host.py" in " ".join(psutil.Process(pid).cmdline())]:
        raise Lost(f"engine hosts left behind: {left}")


def main() -> None:
    """Run the long form and print what was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20, help="kills of the runner")
    parser.add_argument("--others", type=int, help="kills of supervisor, host and screen each; a fifth of --trials by default")
    parser.add_argument("--limit", type=int, default=10, help="questions a benchmark of each demo")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began, others = time.monotonic(), given.trials // 5 if given.others is None else given.others
    with tempfile.TemporaryDirectory() as folder:
        met = torture(Path(folder), dict.fromkeys(TARGETS, others) | {"runner": given.trials}, given.limit, given.seed)
    print(f"{met}; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
