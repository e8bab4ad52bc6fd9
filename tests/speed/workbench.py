"""The workbench under load, in a real terminal, with a real runner that replays 256 streams at 20,000 tokens/s.

    python -m tests.speed.workbench [--minutes 10] [--streams 256] [--pace 80]

It prints what the app takes of a core, how long a key waits beside the same key of a bare Textual app, what goes over the line,
how memory grows, and what a terminal that stops reading costs the runner. Other work on the machine lowers the tokens a second
that the runner reaches, so what was reached stands beside each figure.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil

from core.errors import RunnerError
from core.jobs import queue
from core.runner.client import ensure_runner, status, stop_runner
from core.spec import RunSpec, Sampling
from core.store.connection import connect
from tests.speed.terminal import Terminal

SIZE = (120, 40)
TOKENS = 30_000
PRESSES = 100
BARE = """
from textual.app import App
from textual.screen import ModalScreen
from textual.widgets import DataTable, Static
class Help(ModalScreen):
    BINDINGS = [("escape", "dismiss", "close")]
    def compose(self):
        yield Static("Follow the end of the text")
class Bare(App):
    BINDINGS = [("question_mark", "help", "help")]
    def compose(self):
        yield DataTable()
    def on_mount(self):
        table = self.query_one(DataTable)
        table.add_columns("a", "b", "c")
        for n in range(200):
            table.add_row(str(n), "x" * 40, "y" * 20)
    def action_help(self):
        self.push_screen(Help())
Bare().run()
"""


@dataclass(frozen=True, slots=True)
class Key:
    """A key, text that is on the screen once it has been answered, and the key that undoes it."""

    pressed: bytes
    brings: bytes
    back: bytes


KEYS = {
    "hold": Key(b"f", b"held", b"f"),
    "pane": Key(b"1", b"Requeue", b"2"),
    "help": Key(b"?", b"Follow the end of the text", b"\x1b"),
}


def recording(path: Path, streams: int) -> None:
    """A store of long finished responses, whose words are drawn so that no loop is in them."""
    draw = Random(1)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 9))) for _ in range(4000)]
    c = connect(path, "user")
    c.execute("INSERT INTO models (id, name, source, format, family) VALUES (1, 'pocket', '/m', 'hf', 'pocket')")
    c.execute("INSERT INTO artifacts (id, model_id, compression, format, ready_at) VALUES (1, 1, 'none', 'gguf', 1)")
    c.execute("INSERT INTO variants (id, artifact_id) SELECT id, id FROM artifacts")
    c.execute(
        "INSERT INTO jobs (id, kind, state, position, variant_id, benchmark, engine, sampling, created) "
        "VALUES (1, 'run', 'done', 1, 1, 'pocket-temporal', 'llama.cpp', '{}', 1)"
    )
    c.execute("BEGIN")
    for number in range(1, min(streams, 64) + 1):
        text = " ".join(draw.choices(words, k=TOKENS * 2 // 3))
        c.execute("INSERT INTO items VALUES (?, 'pocket-temporal', ?, 'r', '{}', '[\"B\"]')", (number, f"q{number}"))
        c.execute(
            "INSERT INTO responses (id, job_id, item_id, position, seed, state, finish_reason) VALUES (?, 1, ?, 0, 1, 'done', 'stop')",
            (number, number),
        )
        ids = array("I", range(TOKENS)).tobytes()
        c.execute(
            "INSERT INTO response_texts (response_id, prompt, text, token_ids) VALUES (?, '?', ?, ?)", (number, text, ids)
        )
    c.execute("COMMIT")
    c.close()


@contextmanager
def replayed(folder: Path, streams: int, pace: float) -> Iterator[Path]:
    """A store in which a runner replays `streams` responses side by side."""
    source, store = folder / "recording.db", folder / "runs.db"
    recording(source, streams)
    os.environ |= {"LRM_REPLAY_SLOTS": str(streams), "LRM_REPLAY_TOKENS_PER_SECOND": str(pace), "LRM_REPLAY_ANY": "1"}
    spec = RunSpec(f"replay:{source}", "none", "pocket-temporal", "replay", Sampling(), limit=streams, policy="observe")
    c = connect(store, "user")
    queue.add(c, [spec] * 4)
    c.close()
    ensure_runner(store)
    try:
        while tokens(store) < streams:
            time.sleep(0.5)
        yield store
    finally:
        with suppress(RunnerError):  # it was asked to, and will, however long a busy machine takes
            stop_runner(store)


def tokens(store: Path) -> int:
    """Tokens that the store holds of responses under way and finished."""
    c = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        under_way = c.execute("SELECT coalesce(sum(length(token_ids)), 0) / 4 FROM chunks").fetchone()[0]
        return int(under_way) + int(
            c.execute("SELECT coalesce(sum(answer_tokens + thinking_tokens), 0) FROM responses").fetchone()[0]
        )
    finally:
        c.close()


@dataclass(slots=True)
class Measured:
    """What one stretch of time has shown of a process in a terminal."""

    core: float
    line: float
    tokens: float
    memory: list[float]


def watch(terminal: Terminal, store: Path, seconds: float) -> Measured:
    """Read the terminal for so long. Percent of a core, bytes/s over the line, tokens/s stored, MiB of memory by the second."""
    process = psutil.Process(terminal.pid)
    sent, had, began, used = terminal.received, tokens(store), time.monotonic(), sum(process.cpu_times()[:2])
    memory: list[float] = []
    while (passed := time.monotonic() - began) < seconds:
        terminal.read(1.0)
        memory.append(process.memory_info().rss / 2**20)
    core = 100 * (sum(process.cpu_times()[:2]) - used) / passed
    return Measured(core, (terminal.received - sent) / passed, (tokens(store) - had) / passed, memory)


def latency(terminal: Terminal, presses: int, key: Key) -> dict[str, float]:
    """Milliseconds from a key to what it brings to the screen."""
    waits = []
    for _ in range(presses):
        terminal.read(0.2)
        began = time.monotonic()
        terminal.write(key.pressed)
        terminal.until(key.brings)
        waits.append(1000 * (time.monotonic() - began))
        terminal.write(key.back)
        terminal.read(0.2)
    waits.sort()
    return {"median": p(waits, 0.5), "p99": p(waits, 0.99)}


def p(values: list[float], share: float) -> float:
    """The smallest of sorted values that at least that share of them does not exceed."""
    return values[math.ceil(share * len(values)) - 1]


def main() -> None:
    """Measure and print; --json for programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=0.5)
    parser.add_argument("--streams", type=int, default=256)
    parser.add_argument("--pace", type=float, default=80.0, help="tokens a second of each stream")
    parser.add_argument("--presses", type=int, default=PRESSES)
    parser.add_argument("--unread", type=float, default=10.0, help="seconds in which nobody reads the terminal")
    given = parser.parse_args()
    found: dict[str, object] = {"load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        with replayed(folder, given.streams, given.pace) as store, Terminal(app(store), SIZE) as terminal:
            terminal.until(b"Responses")
            terminal.write(b"2")
            terminal.read(6.0)
            seen = watch(terminal, store, 60 * given.minutes)
            half = len(seen.memory) // 2
            found |= {
                "tokens_per_second": seen.tokens,
                "app_percent_of_a_core": seen.core,
                "kB_per_second": seen.line / 1000,
                "memory_mib": [statistics.mean(seen.memory[:half]), statistics.mean(seen.memory[half:])],
            }
            found |= {"key_ms": {name: latency(terminal, given.presses, key) for name, key in KEYS.items()}}
            before = tokens(store)
            time.sleep(given.unread)  # nobody reads: the terminal's buffer is full and the app is held up
            unread = (tokens(store) - before) / given.unread
            found |= {"tokens_per_second_while_nobody_reads": unread, "runner": status(store).alive}
        with Terminal([sys.executable, "-c", BARE], SIZE) as bare:
            bare.read(2.0)
            found |= {"key_ms_of_a_bare_app_at_rest": latency(bare, given.presses, KEYS["help"])}
    print(json.dumps(found, indent=1))


def app(store: Path) -> list[str]:
    """The workbench as users start it."""
    return [sys.executable, "-P", "-m", "tui.entry", "--db", str(store)]


if __name__ == "__main__":
    main()
