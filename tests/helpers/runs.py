"""A store with runs and a runner at work, and the command in a folder: what end-to-end tests begin with."""

from __future__ import annotations

import json
import os
import select
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyte

from core.jobs import queue
from core.runner.client import ensure_runner, stop_runner
from core.spec import RunSpec, Sampling
from core.store.connection import connect
from tests.helpers.ready_model import ready_model
from tests.helpers.waiting import until

REPOSITORY = Path(__file__).resolve().parents[2]
LRM = [sys.executable, "-m", "tui.entry"]


def lrm(folder: Path, *arguments: str, code: int = 0) -> str:
    """Run the command in a folder; its stdout."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LRM_")} | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([*LRM, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + (done.stderr if code else "")


def lrm_json(folder: Path, *arguments: str) -> Any:
    """What a command prints with --json."""
    return json.loads(lrm(folder, *arguments, "--json"))


def spec(model: str | None = None, benchmark: str = "pocket-temporal", limit: int = 8, **sampling: Any) -> RunSpec:
    """A run that observes its loops: of the embedded model, ready as a GGUF file, where no other is named."""
    settings = {"max_tokens": 512, **sampling}
    return RunSpec(model or ready_model(), "none", benchmark, "llama.cpp", Sampling(**settings), limit=limit, policy="observe")


@contextmanager
def queued(folder: Path, *specs: RunSpec) -> Iterator[tuple[sqlite3.Connection, list[int]]]:
    """A store with these runs and a runner at work on them, which has ended afterwards."""
    path = folder / "runs.db"
    writer = connect(path, "user")
    ids = queue.add(writer, specs)
    writer.close()
    ensure_runner(path)
    reader = connect(path, "reader")
    try:
        yield reader, ids
    finally:
        reader.close()
        stop_runner(path)


def ended(store: sqlite3.Connection, job: int) -> sqlite3.Row:
    """The row of a job, once it is done or has failed."""
    sql = "SELECT * FROM jobs WHERE id = ? AND state IN ('done', 'failed')"
    row: sqlite3.Row = until(lambda: store.execute(sql, (job,)).fetchone())
    return row


def host(store: sqlite3.Connection) -> int:
    """The process of an engine, once there is one."""
    return int(until(lambda: store.execute("SELECT pid FROM hosts").fetchone())[0])


def notices(store: sqlite3.Connection) -> str:
    """All messages to users."""
    return " ".join(row[0] for row in store.execute("SELECT message FROM notices"))


def wait_for_text(descriptor: int, stream: pyte.ByteStream, screen: pyte.Screen, text: str, seconds: float = 40) -> None:
    """Feed what a pseudo-terminal prints to a screen until a text stands on it and nothing more comes."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ready, _, _ = select.select([descriptor], [], [], 0.5)
        if ready:
            stream.feed(os.read(descriptor, 65536))
        elif text in "\n".join(screen.display):
            return
    raise AssertionError(f"{text!r} never came:\n" + "\n".join(screen.display))
