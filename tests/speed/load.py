"""The runner under load from the engine "replay": `python -m tests.speed.load [--streams 256] [--rate 20000] [--seconds 60] [--replicas 1]`.

Each stream plays a recording of random words at its share of the rate, into a real store, through host, pipe, runner and
detector. Printed: the largest delay of any stream behind the clock (stored tokens against the time since it began), the
processor time of runner and host a second, and, by `--parts`, what a token costs in each part.
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import tempfile
import time
from array import array
from pathlib import Path
from statistics import median

import psutil

from core.collapse import Detector
from core.engines.host import wire
from core.jobs import queue
from core.runner.client import ensure_runner, stop_runner
from core.spec import RunSpec, Sampling
from core.store.connection import connect
from core.store.response_writes import Chunk
from core.store.runner_store import RunnerStore
from tests.speed.machine import Others

BENCHMARK = "pocket-temporal"
POLL_S = 2.0


def words(count: int, seed: int) -> list[str]:
    """Random words of a vocabulary as large as a person's, each with its space: about a token each."""
    rng = random.Random(seed)
    vocabulary = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) + " " for _ in range(20_000)]
    return random.Random(seed + 1).choices(vocabulary, k=count)


def record(path: Path, tokens: int, recordings: int = 16) -> None:
    """A store with finished responses of so many tokens."""
    connection = connect(path, "user")
    connection.executescript(
        "INSERT INTO models (name, source, format, family) VALUES ('m', 'm', 'gguf', 'm');"
        "INSERT INTO artifacts (model_id, compression, format) VALUES (1, 'none', 'gguf');"
        "INSERT INTO variants (id, artifact_id) SELECT id, id FROM artifacts;"
        "INSERT INTO jobs (kind, state, position, variant_id, benchmark, engine, sampling, created) "
        "VALUES ('run', 'done', 1, 1, 'b', 'llama.cpp', '{}', 0);"
    )
    for i in range(recordings):
        connection.execute(
            "INSERT INTO items (benchmark, key, revision, fields, gold) VALUES ('b', ?, '', '{}', '[]')", (str(i),)
        )
        sql = "INSERT INTO responses (job_id, item_id, position, seed, state, finish_reason, prompt_tokens) VALUES (1, ?, ?, 0, 'done', 'stop', 9)"
        connection.execute(sql, (i + 1, i))
        sql = "INSERT INTO response_texts (response_id, prompt, text, token_ids) VALUES (?, ?, ?, ?)"
        connection.execute(sql, (i + 1, f"recording {i}", "".join(words(tokens, i)), array("I", range(tokens)).tobytes()))
    connection.close()


def behind(store: sqlite3.Connection, rate: float) -> float:
    """Seconds that the stream with the largest delay is behind."""
    sql = (
        "SELECT r.started, coalesce(sum(length(c.token_ids)) / 4, 0) FROM responses r "
        "LEFT JOIN chunks c ON c.response_id = r.id WHERE r.state = 'active' GROUP BY r.id"
    )
    now = time.time()
    return max((now - started - tokens / rate for started, tokens in store.execute(sql)), default=0.0)


def load(streams: int, rate: float, seconds: float, replicas: int, folder: Path) -> None:
    """Run it and print the figures."""
    each = rate / streams
    record(folder / "recorded.db", int(each * seconds))
    os.environ |= {
        "LRM_REPLAY_SLOTS": str(streams // replicas), "LRM_REPLAY_TOKENS_PER_SECOND": str(each), "LRM_REPLAY_ANY": "1",
    }  # fmt: skip
    path = folder / "runs.db"
    writer = connect(path, "user")
    sampling = Sampling(max_tokens=1_000_000)
    spec = RunSpec(
        f"replay:{folder / 'recorded.db'}",
        "none",
        BENCHMARK,
        "replay",
        sampling,
        limit=streams,
        policy="observe",
        replicas=replicas,
    )
    queue.add(writer, [spec])
    ensure_runner(path)
    store = connect(path, "reader")
    while not store.execute("SELECT 1 FROM chunks").fetchone():
        time.sleep(0.02)
    runner = psutil.Process(store.execute("SELECT pid FROM runner").fetchone()[0])
    while store.execute("SELECT count(DISTINCT response_id) FROM chunks").fetchone()[0] < streams:
        time.sleep(0.1)
    hosts = [psutil.Process(pid) for (pid,) in store.execute("SELECT pid FROM hosts")]
    others, began = Others(), time.monotonic()
    used = {process: sum(process.cpu_times()[:2]) for process in (runner, *hosts)}
    delays, stored = [], 0
    while time.monotonic() - began < seconds - POLL_S:
        time.sleep(POLL_S)
        delays.append(behind(store, each))
    passed = time.monotonic() - began
    shares = {process: (sum(process.cpu_times()[:2]) - before) / passed for process, before in used.items()}
    stored = store.execute("SELECT sum(length(token_ids)) / 4 FROM chunks").fetchone()[0] or 0
    print(
        f"{streams} streams on {replicas} engines, {rate:.0f} tokens/s asked, {stored / passed:.0f} stored a second over {passed:.0f} s"
    )
    print(f"behind the clock: {max(delays):.2f} s at most, {median(delays):.2f} s in the median of {len(delays)} looks")
    print(f"runner: {shares[runner]:.2f} of a core; all hosts: {sum(shares[host] for host in hosts):.2f}")
    print(others)
    store.close()
    writer.close()
    stop_runner(path)


def parts(folder: Path, streams: int = 256, each: int = 20) -> None:
    """What a token costs in pipe, detector and store, in microseconds of processor time."""
    texts = ["".join(words(each, seed)) for seed in range(streams)]
    ids = tuple(range(each))
    event = wire.Deltas(tuple(wire.Delta(str(i), text, ids) for i, text in enumerate(texts)))
    line = wire.encode(event)
    detectors = [Detector(32_768) for _ in range(streams)]
    connect(folder / "parts.db", "user").close()
    store = RunnerStore(folder / "parts.db")
    store.take_over(0.0)
    store.connection.execute("PRAGMA foreign_keys = OFF")
    costs: dict[str, list[float]] = {"pipe, host side": [], "pipe, runner side": [], "detector": [], "store": []}
    for round_number in range(30):
        marks = [time.process_time()]
        wire.encode(event)
        marks.append(time.process_time())
        wire.decode(line)
        marks.append(time.process_time())
        for detector, text in zip(detectors, texts, strict=True):
            detector.feed(text)
        marks.append(time.process_time())
        store.tick(1, [], [Chunk(i, round_number, text, ids) for i, text in enumerate(texts)], [], {}, None)
        marks.append(time.process_time())
        for name, start, end in zip(costs, marks, marks[1:], strict=False):
            costs[name].append((end - start) / (streams * each) * 1e6)
    for name, found in costs.items():
        print(f"{name}: {median(found):.2f} microseconds a token")
    print(f"of a core at 20,000 tokens/s in the runner: {sum(median(costs[name]) for name in list(costs)[1:]) * 0.02:.2f}")


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=256)
    parser.add_argument("--rate", type=float, default=20_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--replicas", type=int, default=1, help="engines that share the streams")
    parser.add_argument("--parts", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if given.parts:
            parts(Path(name), given.streams)
        else:
            load(given.streams, given.rate, given.seconds, given.replicas, Path(name))


if __name__ == "__main__":
    main()
