"""What one look at the store costs the workbench, in processor time, which other work on the machine does not change.

    python -m tests.speed.ticks [--streams 256] [--pace 20000] [--ticks 60]

A store with that many streams under way gains the tokens of half a second; then the poller looks and the Live pane at 120x40 is
drawn, following one of the streams. Printed: milliseconds of processor a tick for looking (in the poller's thread) and for
drawing, percent of a core at the workbench's pace, the longest that a key would wait in a tick, and how memory grew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from array import array
from pathlib import Path
from random import Random

import psutil

from core.store.connection import connect
from tui.app import LrmApp
from tui.panes.live import LivePane
from tui.poller import TICK_S

SIZE = (120, 40)


def filled(path: Path, streams: int) -> None:
    """A run with so many responses under way."""
    c = connect(path, "user")
    c.execute("INSERT INTO models (id, name, source, format, family) VALUES (1, 'pocket', '/m', 'hf', 'pocket')")
    c.execute("INSERT INTO artifacts (id, model_id, compression, format, ready_at) VALUES (1, 1, 'none', 'gguf', 1)")
    c.execute("INSERT INTO variants (id, artifact_id) SELECT id, id FROM artifacts")
    c.execute(
        "INSERT INTO jobs (id, kind, state, position, variant_id, benchmark, engine, sampling, created, started) "
        "VALUES (1, 'run', 'running', 1, 1, 'pocket-temporal', 'llama.cpp', '{}', 1, 1)"
    )
    for number in range(1, streams + 1):
        c.execute("INSERT INTO items VALUES (?, 'pocket-temporal', ?, 'r', '{}', '[]')", (number, f"question {number}"))
        c.execute(
            "INSERT INTO responses (id, job_id, item_id, position, seed, state, token_limit, attempt) "
            "VALUES (?, 1, ?, 0, 1, 'active', 32768, 1)",
            (number, number),
        )
    c.close()


class Probe:
    """Asks for its turn in the event loop again and again, as a key would, and keeps the longest wait (seconds of processor)."""

    def __init__(self) -> None:
        self.longest = self._since = 0.0

    def begin(self) -> float:
        """Forget the past. Returns the processor time now."""
        self.longest, self._since = 0.0, time.process_time()
        return self._since

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(0.001)
            now = time.process_time()
            self.longest, self._since = max(self.longest, now - self._since), now


async def measure(store: Path, streams: int, pace: float, ticks: int) -> dict[str, float]:
    """Milliseconds of processor and more; the first ticks warm up and are not counted."""
    draw, each = Random(1), max(1, round(pace * TICK_S / streams))
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 6))) + " " for _ in range(5000)]
    writer = connect(store, "user")
    app = LrmApp(store)
    app.poller.start = lambda: None  # type: ignore[method-assign]  # the ticks are made here, one by one
    looking: list[float] = []
    drawing: list[float] = []
    memory: list[float] = []
    blocks: list[float] = []
    probe = Probe()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("2")
        watching = asyncio.create_task(probe.run())
        for tick in range(ticks + 5):
            ids = array("I", range(each)).tobytes()
            with writer:
                writer.execute("BEGIN")
                rows = ((n, tick, "".join(draw.choices(words, k=each)), ids) for n in range(1, streams + 1))
                writer.executemany("INSERT INTO chunks VALUES (?, ?, ?, ?)", rows)
                writer.execute("UPDATE jobs SET tokens_per_second = ?", (pace + tick,))
            began = time.process_time()
            app.poller._tick()
            app.poller._sample()
            seen = probe.begin()
            await pilot.pause()
            await asyncio.sleep(0.02)
            await pilot.pause()
            if tick >= 5:
                looking.append(1000 * (seen - began))
                drawing.append(1000 * (time.process_time() - seen))
                blocks.append(1000 * probe.longest)
                memory.append(psutil.Process().memory_info().rss / 2**20)
        watching.cancel()
        shown = app.query_one(LivePane)
        assert shown.table.row_count == min(streams, 500) and len(shown.stream.rows) > 30
    writer.close()
    quarter = len(memory) // 4
    return {
        "looking_ms": statistics.mean(looking),
        "drawing_ms": statistics.mean(drawing),
        "key_waits_ms_median": statistics.median(blocks),
        "key_waits_ms_p99": sorted(blocks)[int(0.99 * len(blocks))],
        "percent_of_a_core": (statistics.mean(looking) + statistics.mean(drawing)) / TICK_S / 10,
        **{f"memory_mib_quarter_{n + 1}": statistics.mean(memory[n * quarter : (n + 1) * quarter]) for n in range(4)},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=256)
    parser.add_argument("--pace", type=float, default=20_000, help="tokens a second of all streams")
    parser.add_argument("--ticks", type=int, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "runs.db"
        filled(store, given.streams)
        found = asyncio.run(measure(store, given.streams, given.pace, given.ticks))
    print(json.dumps({name: round(value, 2) for name, value in found.items()}, indent=1))


if __name__ == "__main__":
    main()
