"""Hours of replay at many streams, and whether anything grows: `python -m tests.e2e.soak --minutes 60`.

A recording is played back into a store of its own at `--streams` streams. Memory, file handles and threads of the runner and its
host, and the write-ahead log, are looked at every few seconds; what they are at the end stands beside what they were once all
streams had begun.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import tempfile
import time
from array import array
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from core import jobs
from core.launch import ensure_runner, status, stop_runner
from core.processes import marked, owner
from core.spec import RunSpec, Sampling
from core.store.connection import connect, runner_lock
from core.store.wal import log_of, size

TOKENS = 2000
EVERY_S = 5.0
START_S = 900.0


@dataclass(frozen=True, slots=True)
class Look:
    """What was there at one moment: bytes, numbers of files and threads, and active streams."""

    at: float
    runner_bytes: int
    host_bytes: int
    files: int
    threads: int
    log_bytes: int
    streams: int


def recording(path: Path) -> None:
    """A store with one finished response of `TOKENS` tokens, none of which repeats."""
    with closing(connect(path, "user")) as c:
        c.execute("INSERT INTO models VALUES (1, 'm', '/m', 'gguf', 'm')")
        c.execute("INSERT INTO variants (id, model_id, compression, format, ready_at) VALUES (1, 1, 'none', 'gguf', 1)")
        c.execute(
            "INSERT INTO jobs (id, kind, state, position, variant_id, benchmark, engine, sampling, created) "
            "VALUES (1, 'run', 'done', 1, 1, 'pocket-facts', 'llama.cpp', '{}', 1)"
        )
        c.execute("INSERT INTO items VALUES (1, 'pocket-facts', 'q', 'r', '{}', '[]')")
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
        RunSpec(f"replay:{source}", "none", "pocket-facts", "replay", sampling, seed, limit=2 * streams, policy="observe")
        for seed in range(runs)
    ]
    with closing(connect(path, "user")) as connection:
        jobs.add(connection, specs)
    ensure_runner(path)


def look(path: Path, connection: sqlite3.Connection) -> Look:
    """Look at everything once."""
    serving = status(path).pid
    assert serving, "no runner serves"
    runner = psutil.Process(serving)
    hosts = [psutil.Process(pid) for pid in marked(owner(runner_lock(path)))]
    streams = connection.execute("SELECT count(*) FROM responses WHERE state = 'active'").fetchone()[0]
    return Look(
        time.monotonic(), runner.memory_info().rss, sum(host.memory_info().rss for host in hosts),
        sum(process.num_fds() for process in (runner, *hosts)), sum(process.num_threads() for process in (runner, *hosts)),
        size(log_of(path)), int(streams))  # fmt: skip


def soak(folder: Path, minutes: float, streams: int, speed: float, reader_minutes: float = 0.0) -> list[Look]:
    """Play for so long. Returns what was seen from the time on when all streams were at work."""
    source, path = folder / "recording.db", folder / "runs.db"
    recording(source)
    os.environ |= {"LRM_REPLAY_SLOTS": str(streams), "LRM_REPLAY_TOKENS_PER_SECOND": str(speed), "LRM_REPLAY_ANY": "1"}
    queue(path, source, streams, runs=max(1, int(minutes * 60 * speed / TOKENS) + 2))
    looks: list[Look] = []
    with closing(connect(path, "reader")) as connection, closing(connect(path, "reader")) as other:
        start = time.monotonic()
        while connection.execute("SELECT count(*) FROM responses WHERE state = 'active'").fetchone()[0] < streams // 2:
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
            with suppress(psutil.NoSuchProcess):  # a host may end between two runs
                looks.append(look(path, connection))
            time.sleep(EVERY_S)
    stop_runner(path)
    return looks


def grown(looks: list[Look]) -> Mapping[str, tuple[float, float]]:
    """Of each number the mean over the first and over the last quarter."""
    quarter = max(1, len(looks) // 4)
    names = [name for name in Look.__slots__ if name != "at"]

    def mean(some: list[Look], name: str) -> float:
        return sum(getattr(one, name) for one in some) / len(some)

    return {name: (mean(looks[:quarter], name), mean(looks[-quarter:], name)) for name in names}


def main() -> None:
    """Run the long form and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--streams", type=int, default=256)
    parser.add_argument("--tokens-per-second", type=float, default=20, help="of each stream")
    parser.add_argument(
        "--reader-minutes", type=float, default=0, help="hold a transaction open for so long, from the beginning"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        looks = soak(Path(folder), given.minutes, given.streams, given.tokens_per_second, given.reader_minutes)
    print(
        f"{len(looks)} looks over {(looks[-1].at - looks[0].at) / 60:.1f} min; largest log {max(x.log_bytes for x in looks):,} B"
    )
    for name, (first, last) in grown(looks).items():
        print(f"{name:13} {first:14,.0f} in the first quarter, {last:14,.0f} in the last ({last / max(first, 1):.2f} times)")


if __name__ == "__main__":
    main()
