"""Kills at exact points between claim and first token, and what the next runners make of it: `python -m tests.e2e.claims`.

Each trial starts a runner that kills itself at one point of one start, with an engine that may hang and that has children of its
own, one of them in a session of its own. Where the engine has ended, a stranger gets its process number. Two runners then take
over at once: exactly one may serve, no engine of the dead one may be left, no stranger ended, no job at work twice. At the end
every response must be there once. `--engine vllm` does it with vLLM, whose engine core is a process of its own.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from core.files.locks import is_locked
from core.jobs import queue as jobs
from core.runner.client import ensure_runner, status, stop_runner
from core.runner.processes import marked, owner, wait_until_gone
from core.spec import RunSpec, Sampling
from core.store.connection import connect, runner_lock
from tests.helpers.waiting import until

POINTS = {
    "after the claim": "instead('core.runner.engine_process.Child', die)",
    "after the spawn": "instead('core.store.runner_store.RunnerStore.host_started', die)",
    "after the host's row": "instead('core.runner.engine_process.EngineProcess.send', die)",
    "while it loads": "send = EngineProcess.send; instead('core.runner.engine_process.EngineProcess.send', lambda *said: (send(*said), time.sleep({loading_s}), die()))",
    "under way": "instead('core.runner.run.Run._finish', die)",
}
RUNNER = """
import os, signal, sys, time
from pathlib import Path
from unittest.mock import patch
import core.runner.run
from core.runner.engine_process import EngineProcess
from core.runner.__main__ import _serve
from core.runner.processes import marked, owner
from core.store.connection import runner_lock
store = Path(sys.argv[1])
def instead(name, what):
    patch(name, what).start()  # fails where the name is no more
def die(*_, **__):
    for pid in marked(owner(runner_lock(store))) if {hang} else ():
        os.kill(pid, signal.SIGSTOP)  # it cannot see the end of its stdin any more
    os.kill(os.getpid(), signal.SIGKILL)
{point}
sys.exit(_serve(store, None, None))
"""
WRAPPED = """#!/bin/sh
# An interpreter whose engine has helpers that outlive it and hold its pipes open: one in a session of its own, and one in the
# engine's, which keeps the engine's number from being given out again.
case "$*" in *host.py*)
    setsid sleep 600 &
    if test -n "$HELPER_IN_SESSION"; then sleep 600 & fi ;;
esac
exec {python} "$@"
"""
LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
STRANGER = ["sleep", "600"]
GONE_S = 1.0
PR_SET_CHILD_SUBREAPER = 36
QUESTIONS = 8  # of a run; another is queued whenever none is left
LEFT = f"""
SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')
AND (SELECT count(*) FROM responses WHERE job_id = jobs.id AND state = 'done') < {QUESTIONS}
"""


@dataclass(frozen=True, slots=True)
class Engine:
    """What a run of the embedded model takes with an engine: its interpreter, settings, and times in seconds."""

    name: str
    python: str
    settings: Mapping[str, str]
    loading_s: float
    serves_s: float

    def environment(self, folder: Path) -> dict[str, str]:
        """The settings, with the interpreter of `WRAPPED`."""
        script = folder / "python-with-helpers"
        script.write_text(WRAPPED.format(python=self.python))
        script.chmod(0o755)
        return {f"LRM_PYTHON_{self.name.upper().replace('.', '_')}": str(script), **self.settings}


ENGINES = {
    "llama.cpp": Engine("llama.cpp", sys.executable, {}, 0.2, 120.0),
    "vllm": Engine(
        "vllm", os.environ.get("LRM_PYTHON_VLLM", str(Path(__file__).parents[2] / ".venv-vllm" / "bin" / "python")),
        {"LRM_VLLM_EAGER": "1", "LRM_VLLM_KV_GIB": "0.25", "LRM_VLLM_SLOTS": "4"}, 15.0, 300.0),
}  # fmt: skip


@dataclass(slots=True)
class Met:
    """What the trials met: kills at each point, processes left by dead runners, strangers under the numbers of engines."""

    engine: str
    points: dict[str, int]
    left: int = 0
    strangers: int = 0

    def __str__(self) -> str:
        points = ", ".join(f"{number} {point}" for point, number in self.points.items())
        return (
            f"{sum(self.points.values())} kills with {self.engine} ({points}): 0 responses lost or doubled, 0 jobs started twice, "
            f"0 of {self.left} processes left, 0 of {self.strangers} strangers ended"
        )


class Broken(AssertionError):
    """A promise was broken."""


def queue(path: Path, engine: Engine, seed: int) -> int:
    """One run of the embedded model. Returns its job."""
    spec = RunSpec("pocket", "none", "pocket-facts", engine.name, Sampling(max_tokens=256), seed=seed, limit=QUESTIONS)
    with closing(connect(path, "user")) as connection:
        (job,) = jobs.add(connection, [spec])
    return job


def prepare(path: Path, engine: Engine) -> int:
    """Make the variant, so that every start from now on is a run's. Returns a run that waits."""
    job = queue(path, engine, 0)
    with closing(connect(path, "user")) as connection:
        jobs.pause(connection, job)
    ensure_runner(path)
    until(lambda: not _value(path, "SELECT count(*) FROM jobs WHERE kind = 'prepare' AND state != 'done'"), engine.serves_s)
    stop_runner(path)
    with closing(connect(path, "user")) as connection:
        jobs.requeue(connection, job)
    return job


def die_at(path: Path, engine: Engine, point: str, hang: bool) -> set[int]:
    """Let a runner work until it kills itself at a point. Returns the processes that it leaves; the engine hangs on request."""
    code = RUNNER.format(point=POINTS[point].format(loading_s=engine.loading_s), hang=hang)
    environment = {**os.environ, "HELPER_IN_SESSION": "1" if hang else ""}
    runner = subprocess.Popen([sys.executable, "-c", code, str(path)], start_new_session=True, env=environment)
    try:
        if runner.wait(engine.serves_s) != -signal.SIGKILL:
            raise Broken(f"the runner did not die {point}")
    finally:
        runner.kill()
    return set(marked(owner(runner_lock(path))))


def stranger(path: Path) -> subprocess.Popen[bytes] | None:
    """A process that got the number of an engine of the store's table; None where none is free or the system forbids it."""
    for (pid,) in _rows(path, "SELECT pid FROM hosts"):
        if not wait_until_gone(pid, GONE_S):
            continue
        _reap(pid)
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


@contextmanager
def _adopting_orphans() -> Iterator[None]:
    """Be the parent of orphans, since a number is free only when a parent has taken note of the end, which init may put off."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        _reap(*(child.pid for child in psutil.Process().children() if child.status() == psutil.STATUS_ZOMBIE))


def _reap(*pids: int) -> None:
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def take_over(path: Path, engine: Engine, left: set[int]) -> None:
    """Two runners at once; afterwards one serves, and nothing of the dead one is left."""
    heirs = [subprocess.Popen([sys.executable, "-P", "-m", "core.runner", str(path), "--serve"]) for _ in range(2)]
    try:
        until(lambda: status(path).alive and status(path).pid in [heir.pid for heir in heirs], engine.serves_s)
        until(lambda: sum(heir.poll() is None for heir in heirs) == 1, engine.serves_s)
        until(lambda: not left & set(marked(owner(runner_lock(path)))), 30)
        if len(at_work := _engines(path)) > 1:
            raise Broken(f"{len(at_work)} engines are at work")
    finally:
        for heir in heirs:
            heir.terminate()
        for heir in heirs:
            heir.wait(60)


def _engines(path: Path) -> list[int]:
    """The engines at work. A fork that has yet to become its own program still has its parent's command line: no engine."""
    parents: dict[int, int] = {}
    for pid in marked(owner(runner_lock(path))):
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if any(argument.endswith("host.py") for argument in process.cmdline()):
                parents[pid] = process.ppid()
    return [pid for pid, parent in parents.items() if parent not in parents]


def torture(folder: Path, trials: int, seed: int, points: Sequence[str] = tuple(POINTS), engine: str = "llama.cpp") -> Met:
    """Returns what the trials met; raises Broken."""
    rng, path, used = random.Random(seed), folder / "runs.db", ENGINES[engine]
    os.environ |= used.environment(folder)
    with _adopting_orphans():
        return _tried(path, used, trials, rng, points)


def _tried(path: Path, used: Engine, trials: int, rng: random.Random, points: Sequence[str]) -> Met:
    runs, met = [prepare(path, used)], Met(used.name, dict.fromkeys(points, 0))
    before: dict[int, str] = {}
    for number in range(trials):
        if not _value(path, LEFT):
            runs.append(queue(path, used, len(runs)))
        point = points[number % len(points)]
        left = die_at(path, used, point, hang=rng.random() < 0.5)
        other = stranger(path)
        take_over(path, used, left)
        if other is not None and other.poll() is not None:
            raise Broken(f"a stranger was ended ({point})")
        if other is not None:
            other.kill()
            other.wait()
        _reap(*left)
        met.points[point] += 1
        met.left += len(left)
        met.strangers += other is not None
        before = _unchanged(path, before)
    ensure_runner(path)
    until(lambda: not _value(path, "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')"), 600)
    stop_runner(path)
    _unchanged(path, before)
    for job in runs:
        _settled(path, job)
    return met


def _unchanged(path: Path, before: dict[int, str]) -> dict[int, str]:
    sql = "SELECT r.id, t.text FROM responses r JOIN response_texts t ON t.response_id = r.id WHERE r.state = 'done'"
    after = dict(_rows(path, sql))
    if any(after.get(number) != text for number, text in before.items()):
        raise Broken("a finished response is gone or changed")
    return after


def _settled(path: Path, job: int) -> None:
    sql = "SELECT count(*), count(DISTINCT item_id), sum(state = 'done') FROM responses WHERE job_id = ?"
    with closing(connect(path, "reader")) as connection:
        counts = tuple(connection.execute(sql, (job,)).fetchone())
        starts = connection.execute("SELECT count(*), max(attempt), count(DISTINCT token) FROM starts WHERE job_id = ?", (job,))
        started = tuple(starts.fetchone())
        sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if counts != (QUESTIONS,) * 3 or sound != "ok" or len(set(started)) != 1:
        raise Broken(f"responses {counts} of {QUESTIONS}, integrity {sound}, starts {started}")
    if left := marked(owner(runner_lock(path))):
        raise Broken(f"left behind: {left}")
    if is_locked(runner_lock(path)):
        raise Broken("somebody still serves")


def _rows(path: Path, sql: str) -> list[sqlite3.Row]:
    with closing(connect(path, "reader")) as connection:
        return connection.execute(sql).fetchall()


def _value(path: Path, sql: str) -> int:
    return int(_rows(path, sql)[0][0])


def main() -> None:
    """Run the long form and print what was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--engine", choices=tuple(ENGINES), default="llama.cpp")
    parser.add_argument("--points", nargs="+", choices=tuple(POINTS), default=tuple(POINTS))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        met = torture(Path(folder), given.trials, given.seed, given.points, given.engine)
    print(f"{met}; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
