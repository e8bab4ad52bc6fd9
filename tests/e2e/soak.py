"""Hours of replay at many streams, and whether anything grows: `python -m tests.e2e.soak --minutes 60`.

A recording is played back into a store of its own at `--streams` streams, and the app watches in a pseudo-terminal. Memory, file
handles and threads of runner, host and app, and the write-ahead log, are looked at every few seconds; what they are at the end
stands beside what they were once all streams had begun, and the form fails where one of them grew.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from core.jobs import queue as jobs
from core.runner.client import ensure_runner, status, stop_runner
from core.runner.processes import marked, owner
from core.spec import RunSpec, Sampling
from core.store.connection import connect, runner_lock
from core.store.wal import SHORT_BYTES, log_of, size
from tests.helpers.commands import Terminal

TOKENS = 2000
BENCHMARK = "pocket-temporal"  # 1,000 questions, so that a run has more of them than there are streams
EVERY_S = 5.0
START_S = 120.0
LIVE = b"2"
MOST_TIMES = 1.1
MOST_MORE = {"files": 4, "threads": 2}
MOST_LOG_BYTES = 2 * SHORT_BYTES


@dataclass(frozen=True, slots=True)
class Look:
    """What was there at one moment: bytes, numbers of files and threads, active streams, and tokens stored since the start."""

    at: float
    runner_bytes: int
    host_bytes: int
    app_bytes: int
    files: int
    threads: int
    log_bytes: int
    streams: int


def recording(path: Path) -> None:
    """A store with one finished response of `TOKENS` tokens, none of which repeats."""
    with closing(connect(path, "user")) as c:
        c.execute("INSERT INTO models (id, name, source, format, family) VALUES (1, 'm', '/m', 'gguf', 'm')")
        c.execute("INSERT INTO artifacts (id, model_id, compression, format, ready_at) VALUES (1, 1, 'none', 'gguf', 1)")
        c.execute("INSERT INTO variants (id, artifact_id) SELECT id, id FROM artifacts")
        c.execute(
            "INSERT INTO jobs (id, kind, state, position, variant_id, benchmark, engine, sampling, created) "
            "VALUES (1, 'run', 'done', 1, 1, ?, 'llama.cpp', '{}', 1)",
            (BENCHMARK,),
        )
        c.execute("INSERT INTO items VALUES (1, ?, 'q', 'r', '{}', '[]')", (BENCHMARK,))
        c.execute(
            "INSERT INTO responses (id, job_id, item_id, position, seed, state, finish_reason, prompt_tokens) "
            "VALUES (1, 1, 1, 0, 1, 'done', 'stop', 9)"
        )
        text = " ".join(f"w{number * 7919 % 100_003}" for number in range(TOKENS))
        c.execute("INSERT INTO response_texts VALUES (1, 'p', ?, ?)", (text, array("I", range(TOKENS)).tobytes()))


def queue(path: Path, source: Path, streams: int, runs: int) -> None:
    """More questions than there are streams, again and again."""
    sampling = Sampling(max_tokens=TOKENS)
    specs = [
        RunSpec(f"replay:{source}", "none", BENCHMARK, "replay", sampling, seed=seed, limit=2 * streams, policy="observe")
        for seed in range(runs)
    ]
    with closing(connect(path, "user")) as connection:
        jobs.add(connection, specs)
    ensure_runner(path)


def look(path: Path, connection: sqlite3.Connection, app: psutil.Process) -> Look:
    """Look at everything once. Raises psutil.NoSuchProcess where a process ends meanwhile, as a host may between two runs."""
    serving = status(path).pid
    assert serving, "no runner serves"
    runner = psutil.Process(serving)
    hosts = [psutil.Process(pid) for pid in marked(owner(runner_lock(path)))]
    ours = (runner, *hosts, app)
    streams = connection.execute("SELECT count(*) FROM responses WHERE state = 'active'").fetchone()[0]
    return Look(
        time.monotonic(), runner.memory_info().rss, sum(host.memory_info().rss for host in hosts), app.memory_info().rss,
        sum(process.num_fds() for process in ours), sum(process.num_threads() for process in ours), size(log_of(path)),
        int(streams))  # fmt: skip


def soak(folder: Path, minutes: float, streams: int, speed: float, reader_minutes: float = 0.0) -> list[Look]:
    """Play for so long. Returns what was seen from the time on when all streams were at work."""
    source, path = folder / "recording.db", folder / "runs.db"
    recording(source)
    os.environ |= {"LRM_REPLAY_SLOTS": str(streams), "LRM_REPLAY_TOKENS_PER_SECOND": str(speed), "LRM_REPLAY_ANY": "1"}
    queue(path, source, streams, runs=max(1, int(minutes * 60 * speed / TOKENS) + 2))
    looks: list[Look] = []
    with closing(connect(path, "reader")) as connection, closing(connect(path, "reader")) as other, watching(path) as app:
        start = time.monotonic()
        while connection.execute("SELECT count(*) FROM responses WHERE state = 'active'").fetchone()[0] < streams:
            if time.monotonic() - start > START_S:
                raise TimeoutError("the streams never began")
            time.sleep(0.5)
        began = time.monotonic()
        if reader_minutes:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM responses").fetchone()
        while time.monotonic() - began < minutes * 60:
            if other.in_transaction and time.monotonic() - began > reader_minutes * 60:
                other.execute("ROLLBACK")
            with suppress(psutil.NoSuchProcess):
                looks.append(look(path, connection, app))
            time.sleep(EVERY_S)
    stop_runner(path)
    return looks


@contextmanager
def watching(path: Path) -> Iterator[psutil.Process]:
    """The app on the streams in a pseudo-terminal, whose output is read and thrown away."""
    terminal, ended = Terminal(path), threading.Event()

    def read() -> None:
        while not ended.is_set():
            terminal.read(0.1, 1.0)
            terminal.raw = b""

    reading = threading.Thread(target=read)
    deadline = time.monotonic() + START_S
    while b"lrm-tui" not in terminal.raw:
        terminal.read(0.05, 0.2)
        if time.monotonic() > deadline:
            raise TimeoutError("the app never came")
    terminal.press(LIVE, 0.1)
    reading.start()
    try:
        yield psutil.Process(terminal.process.pid)
    finally:
        ended.set()
        reading.join()
        assert terminal.quit() == 0, "the app failed"


def grown(looks: list[Look]) -> Mapping[str, tuple[float, float]]:
    """Of each number the mean over the second and over the last quarter; the first one warms up."""
    quarter = max(1, len(looks) // 4)
    names = [name for name in Look.__slots__ if name != "at"]

    def mean(some: list[Look], name: str) -> float:
        return sum(getattr(one, name) for one in some) / len(some)

    return {name: (mean(looks[quarter : 2 * quarter], name), mean(looks[-quarter:], name)) for name in names}


def faults(looks: list[Look], reader: bool) -> list[str]:
    """What grew more than it may. Of a form with a reader, which is short, only what it leaves of the log counts."""
    found = []
    for name, (before, after) in grown(looks).items() if not reader else ():
        most = before + MOST_MORE[name] if name in MOST_MORE else before * MOST_TIMES
        if name not in ("streams", "log_bytes") and after > most:
            found.append(f"{name} grew from {before:,.0f} to {after:,.0f}")
    log = looks[-1].log_bytes if reader else max(one.log_bytes for one in looks)
    return found + ([f"the log holds {log:,} bytes"] if log > MOST_LOG_BYTES else [])


def main() -> int:
    """Run the long form and print what was seen. Returns the exit code: 1 where something grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--streams", type=int, default=256)
    parser.add_argument("--tokens-per-second", type=float, default=20, help="of each stream")
    parser.add_argument(
        "--reader-minutes", type=float, default=0, help="hold a transaction open for so long, from the beginning"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        reader = min(given.reader_minutes, 0.9 * given.minutes)
        looks = soak(Path(folder), given.minutes, given.streams, given.tokens_per_second, reader)
    print(
        f"{len(looks)} looks over {(looks[-1].at - looks[0].at) / 60:.1f} min; log at most {max(x.log_bytes for x in looks):,} B, "
        f"at the end {looks[-1].log_bytes:,} B"
    )
    for name, (first, last) in grown(looks).items():
        print(f"{name:13} {first:14,.0f} in the second quarter, {last:14,.0f} in the last ({last / max(first, 1):.3f} times)")
    wrong = faults(looks, reader > 0)
    print("; ".join(wrong) or "nothing grew")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
