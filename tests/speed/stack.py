"""What stands between an engine's tokens and the store: `python -m tests.speed.stack [bare | queue] [--rounds 5]`.

- bare: the same engine, model and questions, 8 streams of llama.cpp, alternately bare (stepped in a process that does nothing
  else) and under the whole stack (host, pipe, runner, detector, store). The ratio of their tokens a second.
- queue: four benchmarks on one variant: how often the model was loaded, the share of the time that the engine stood idle between
  them, and the time from `add` to the first stored token, cold and with the runner and the model there.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.base import DataSource
from benchmarks.prompts import load_template
from benchmarks.registry import get
from core.engines.host.wire import Deltas, Generate, Sampling
from core.engines.llamacpp.engine import LlamaCpp
from core.jobs import queue as jobs
from core.runner.client import ensure_runner, stop_runner
from core.runner.inputs import response_seed
from core.spec import RunSpec
from core.store.connection import connect
from tests.speed.machine import Others

BENCHMARK = "pocket-temporal"
BENCHMARKS = ("pocket-temporal", "pocket-logic", "pocket-arithmetic", "pocket-facts")
SLOTS, CONTEXT = 8, 1280


def bare(model: str, questions: int, tokens: int) -> float:
    """Tokens a second of the engine alone."""
    benchmark = get(BENCHMARK)
    template = load_template(benchmark.prompt_key)
    engine = LlamaCpp()
    engine.load(model, {"slots": SLOTS, "context": CONTEXT})
    sampling = Sampling(temperature=0.6, max_tokens=tokens)
    for number, item in enumerate(benchmark.load(DataSource(None, seed=0))[:questions]):
        seed = response_seed(0, item.key)  # as the runner draws them, so that both write much the same
        engine.submit(Generate(str(number), template.fill(item.fields), template.chat, seed, sampling))
    count, began = 0, time.monotonic()
    while engine.busy:
        count += sum(delta.tokens for event in engine.step() if isinstance(event, Deltas) for delta in event.items)
    return count / (time.monotonic() - began)


def whole(path: Path, name: str, questions: int, tokens: int) -> float:
    """Tokens a second as the store saw them, from the first response's entry to the last one's end."""
    job = added(path, [spec(name, BENCHMARK, questions, tokens)])[0]
    sql = (
        "SELECT sum(thinking_tokens + answer_tokens), max(r.finished) - min(r.started) FROM responses r "
        "JOIN jobs j ON j.id = r.job_id WHERE j.id = ? AND j.state = 'done'"
    )
    with_store = connect(path, "reader")
    while (row := with_store.execute(sql, (job,)).fetchone())[0] is None:
        time.sleep(0.2)
    with_store.close()
    return float(row[0] / row[1])


def spec(model: str, benchmark: str, questions: int, tokens: int) -> RunSpec:
    """A run with llama.cpp that no verdict on its outputs cuts short."""
    sampling = Sampling(temperature=0.6, max_tokens=tokens)
    return RunSpec(model, "none", benchmark, "llama.cpp", sampling, limit=questions, policy="observe")


def added(path: Path, specs: list[RunSpec]) -> list[int]:
    """Queue runs and see that a runner serves them."""
    writer = connect(path, "user")
    ids = jobs.add(writer, specs)
    writer.close()
    ensure_runner(path)
    return ids


def compare(folder: Path, name: str, rounds: int, questions: int, tokens: int) -> None:
    """Print the ratio of the whole stack to the bare engine, in interleaved rounds."""
    os.environ |= {"LRM_LLAMA_CPP_SLOTS": str(SLOTS)}
    path = folder / "runs.db"
    whole(path, name, SLOTS, 8)  # makes the variant ready and loads it
    model = connect(path, "reader").execute("SELECT path FROM artifacts").fetchone()[0]
    ratios = []
    for number in range(rounds):
        others = Others()
        command = [sys.executable, "-m", "tests.speed.stack", "--bare", model, str(questions), str(tokens)]
        alone = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        stacked = whole(path, name, questions, tokens)
        ratios.append(stacked / alone)
        print(f"round {number + 1}: bare {alone:.1f}, whole stack {stacked:.1f} tokens/s; {others}", flush=True)
    stop_runner(path)
    print(f"whole stack / bare: {median(ratios):.3f} (median of {rounds} rounds)")


def first_token(store: sqlite3.Connection, job: int) -> None:
    """Wait until a token of this run is stored."""
    sql = "SELECT 1 FROM responses r LEFT JOIN chunks c ON c.response_id = r.id WHERE r.job_id = ? AND (c.seq = 0 OR r.state = 'done')"
    while not store.execute(sql, (job,)).fetchone():
        time.sleep(0.005)


def queue(folder: Path, model: str, questions: int, tokens: int) -> None:
    """Print loads, idle share and times to the first token."""
    path = folder / "runs.db"
    others, began = Others(), time.monotonic()
    (first,) = added(path, [spec(model, BENCHMARK, 1, tokens)])
    store = connect(path, "reader")
    first_token(store, first)
    print(f"add to first token, nothing running yet: {time.monotonic() - began:.2f} s")
    while store.execute("SELECT state FROM jobs WHERE id = ?", (first,)).fetchone()[0] != "done":
        time.sleep(0.05)
    began = time.monotonic()
    (second,) = added(path, [replace(spec(model, BENCHMARK, 1, tokens), seed=1)])
    first_token(store, second)
    print(f"add to first token, runner and model there: {time.monotonic() - began:.2f} s")
    ids = added(path, [replace(spec(model, name, questions, tokens), seed=2) for name in BENCHMARKS])
    marks = ",".join("?" * len(ids))
    while store.execute(f"SELECT count(*) FROM jobs WHERE id IN ({marks}) AND state = 'done'", ids).fetchone()[0] < len(ids):
        time.sleep(0.2)
    sql = f"SELECT min(started), max(finished) FROM responses WHERE job_id IN ({marks}) GROUP BY job_id ORDER BY job_id"
    spans = store.execute(sql, ids).fetchall()
    idle = sum(after[0] - before[1] for before, after in pairwise(spans))
    loads = len(list((folder / ".lrm-tui" / "runs" / "logs").glob("host-*.log")))
    print(f"{len(ids) + 2} runs of one variant, {loads} load(s) of the model")
    print(
        f"idle between four benchmarks: {idle:.2f} of {spans[-1][1] - spans[0][0]:.1f} s, {idle / (spans[-1][1] - spans[0][0]):.2%}"
    )
    print(others)
    store.close()
    stop_runner(path)


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=("bare", "queue"), default="bare")
    parser.add_argument("--model", default="smollm2", help="smollm2 or pocket")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--questions", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--bare", nargs=3, metavar=("MODEL", "QUESTIONS", "TOKENS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bare:
        print(bare(given.bare[0], int(given.bare[1]), int(given.bare[2])))
        return
    with tempfile.TemporaryDirectory() as name:
        if given.what == "queue":
            queue(Path(name), given.model, given.questions, given.tokens)
        else:
            compare(Path(name), given.model, given.rounds, given.questions, given.tokens)


if __name__ == "__main__":
    main()
