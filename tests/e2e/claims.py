"""Kills at exact points between claim and first token, and what the next runners make of it: `python -m tests.e2e.claims`.

Each trial starts a runner that kills itself at one point of one start, with an engine that may hang and that has children of its
own, one of them in a session of its own. Where the engine has ended, a stranger gets its process number. Two runners then take
over at once: exactly one may serve, no engine of the dead one may be left, no stranger ended, no job at work twice. At the end
every response must be there once.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path

from core import jobs
from core.launch import ensure_runner, status, stop_runner
from core.processes import marked, owner
from core.spec import RunSpec, Sampling
from core.store.connection import connect, runner_lock
from core.store.locks import held

POINTS = {
    "after the claim": "core.hosts.Child = die",
    "after the spawn": "RunnerStore.host_started = die",
    "after the host's row": "core.hosts.Host._ask = die",
    "under way": "core.evaluation.Evaluation._finish = die",
}
RUNNER = """
import os, signal, sys
from pathlib import Path
import core.evaluation, core.hosts
from core.launch import _serve
from core.store.writes import RunnerStore
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
{point}
sys.exit(_serve(Path(sys.argv[1]), None, None))
"""
ENGINE = """#!/bin/sh
# An interpreter whose engine has helpers that outlive it, one in a session of its own; they hold its pipes open.
case "$*" in *llama.cpp*) sleep 600 & setsid sleep 600 & ;; esac
exec {python} "$@"
"""
LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
STRANGER = ["sleep", "600"]
SERVES_S = 120.0


class Broken(AssertionError):
    """A promise was broken."""


def engine(folder: Path) -> Path:
    """The interpreter of `ENGINE`."""
    script = folder / "python-with-helpers"
    script.write_text(ENGINE.format(python=sys.executable))
    script.chmod(0o755)
    return script


def queue(path: Path, questions: int) -> int:
    """One run of the embedded model, whose variant is made already."""
    sampling = Sampling(max_tokens=256)
    with closing(connect(path, "user")) as connection:
        (job,) = jobs.add(connection, [RunSpec("pocket", "none", "pocket-facts", "llama.cpp", sampling, limit=questions)])
        jobs.pause(connection, job)
    ensure_runner(path)
    _until(lambda: not _value(path, "SELECT count(*) FROM jobs WHERE kind = 'prepare' AND state != 'done'"))
    stop_runner(path)
    with closing(connect(path, "user")) as connection:
        jobs.requeue(connection, job)
    return job


def die_at(path: Path, point: str, hang: bool) -> set[int]:
    """Let a runner work until it kills itself at a point. Returns the processes that it leaves; the engine hangs on request."""
    runner = subprocess.Popen([sys.executable, "-c", RUNNER.format(point=POINTS[point]), str(path)], start_new_session=True)
    ours = owner(runner_lock(path))
    while hang and runner.poll() is None:  # a process that is stopped cannot see its stdin end
        for pid in marked(ours):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        time.sleep(0.02)
        if point == "under way":
            break  # a stopped engine would never get there
    if runner.wait(SERVES_S) != -signal.SIGKILL:
        raise Broken(f"the runner did not die {point}")
    if hang and point == "under way":
        for pid in marked(ours):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
    return set(marked(ours))


def stranger(path: Path) -> subprocess.Popen[bytes] | None:
    """A process that got the number of an engine of the store's table; None where none is free or the system forbids it."""
    for (pid,) in _rows(path, "SELECT pid FROM hosts"):
        if Path(f"/proc/{pid}").exists():
            continue
        for _ in range(50):
            try:
                LAST_PID.write_text(str(pid - 1))
            except OSError:
                return None
            process = subprocess.Popen(STRANGER)
            if process.pid == pid:
                return process
            process.kill()
            process.wait()
            if Path(f"/proc/{pid}").exists():
                break
    return None


def take_over(path: Path, left: set[int], job: int) -> None:
    """Two runners at once; afterwards one serves, and nothing of the dead one is left."""
    heirs = [subprocess.Popen([sys.executable, "-P", "-m", "core.launch", str(path), "--worker"]) for _ in range(2)]
    try:
        _until(lambda: status(path).alive and status(path).pid in [heir.pid for heir in heirs])
        _until(lambda: sum(heir.poll() is None for heir in heirs) == 1)
        _until(lambda: not left & set(marked(owner(runner_lock(path)))), 30)
        at_work = [pid for pid in marked(owner(runner_lock(path))) if _is_host(pid)]
        if len(at_work) > 1:
            raise Broken(f"job {job} is at work in {len(at_work)} engines")
    finally:
        for heir in heirs:
            heir.terminate()
        for heir in heirs:
            heir.wait(60)


def _is_host(pid: int) -> bool:
    with suppress(OSError):
        return b"host.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def torture(folder: Path, trials: int, seed: int, points: tuple[str, ...] = tuple(POINTS)) -> dict[str, int]:
    """Returns how many trials met what; raises Broken."""
    rng, path = random.Random(seed), folder / "runs.db"
    os.environ["LRM_PYTHON_LLAMA_CPP"] = str(engine(folder))
    job = queue(path, trials + 8)
    met = {"left": 0, "strangers": 0, **dict.fromkeys(points, 0)}
    before: dict[int, str] = {}
    for number in range(trials):
        point = points[number % len(points)]
        left = die_at(path, point, hang=rng.random() < 0.5)
        other = stranger(path)
        take_over(path, left, job)
        if other is not None and other.poll() is not None:
            raise Broken(f"a stranger was ended ({point})")
        if other is not None:
            other.kill()
            other.wait()
        met[point] += 1
        met["left"] += len(left)
        met["strangers"] += other is not None
        before = _unchanged(path, before)
    ensure_runner(path)
    _until(lambda: _value(path, "SELECT count(*) FROM jobs WHERE state = 'done' AND kind = 'run'"), 600)
    stop_runner(path)
    _unchanged(path, before)
    _settled(path, job, trials + 8)
    return met


def _unchanged(path: Path, before: dict[int, str]) -> dict[int, str]:
    sql = "SELECT r.id, t.text FROM responses r JOIN response_texts t ON t.response_id = r.id WHERE r.state = 'done'"
    after = dict(_rows(path, sql))
    if any(after.get(number) != text for number, text in before.items()):
        raise Broken("a finished response is gone or changed")
    return after


def _settled(path: Path, job: int, questions: int) -> None:
    sql = "SELECT count(*), count(DISTINCT item_id), sum(state = 'done') FROM responses WHERE job_id = ?"
    with closing(connect(path, "reader")) as connection:
        counts = tuple(connection.execute(sql, (job,)).fetchone())
        starts = connection.execute("SELECT count(*), max(attempt), count(DISTINCT token) FROM starts WHERE job_id = ?", (job,))
        started = tuple(starts.fetchone())
        sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if counts != (questions, questions, questions) or sound != "ok" or started[0] != started[1]:
        raise Broken(f"responses {counts} of {questions}, integrity {sound}, starts {started}")
    if left := marked(owner(runner_lock(path))):
        raise Broken(f"left behind: {left}")
    if held(runner_lock(path)):
        raise Broken("somebody still serves")


def _rows(path: Path, sql: str) -> list[sqlite3.Row]:
    with closing(connect(path, "reader")) as connection:
        return connection.execute(sql).fetchall()


def _value(path: Path, sql: str) -> int:
    return int(_rows(path, sql)[0][0])


def _until(condition: object, seconds: float = SERVES_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise Broken("it never happened")
        time.sleep(0.05)


def main() -> None:
    """Run the long form and print what was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        met = torture(Path(folder), given.trials, given.seed)
    print(f"{given.trials} kills ({met}): 0 responses lost or doubled, 0 jobs started twice, 0 engine processes left, "
          f"0 strangers ended; {time.monotonic() - began:.0f} s")  # fmt: skip


if __name__ == "__main__":
    main()
