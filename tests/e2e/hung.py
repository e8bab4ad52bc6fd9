"""An engine that hangs each time that it is started: `python -m tests.e2e.hung --silence 60`.

It is stopped (SIGSTOP) amid its tokens, as a driver stops an engine that then still counts as alive. The time until users are told
is measured; it must be ended at its limit and started again with what it had, and the third time its run must fail with its log.
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from core.jobs import queue
from core.runner.child import TRIES
from core.runner.client import ensure_runner, stop_runner
from core.runner.processes import wait_until_gone
from core.runner.watchdog import FLAG_S
from core.spec import RunSpec, Sampling
from core.store.connection import connect
from tests.e2e.kill import Lost, check, finished, stored
from tests.helpers.waiting import until

PROMISED_S = 60.0
PATIENCE_S = 600.0
AT_WORK = "SELECT pid FROM hosts WHERE pid <> ? AND EXISTS (SELECT 1 FROM responses WHERE state = 'active')"
TOLD = "SELECT count(*) FROM notices WHERE message LIKE '%has given no token for%'"


@dataclass(slots=True)
class Met:
    """Seconds from each hang until users were told (none where the limit comes first), and until the engine was gone."""

    told_s: list[float] = field(default_factory=list)
    gone_s: list[float] = field(default_factory=list)


def torture(folder: Path, silence_s: float) -> Met:
    """Hang until the run fails; raises Lost."""
    path, met = folder / "runs.db", Met()
    os.environ["LRM_SILENCE_S"] = str(silence_s)
    # Pruned so far that its outputs run to the limit of tokens, so that none ends between two hangs.
    spec = RunSpec(
        "pocket", "magnitude-70", "pocket-temporal", "llama.cpp", Sampling(max_tokens=1024), limit=8, policy="observe"
    )
    with closing(connect(path, "user")) as connection:
        (job,) = queue.add(connection, [spec])
    ensure_runner(path)
    try:
        with closing(connect(path, "reader")) as store:
            engine = 0
            for _ in range(TRIES):
                engine = _hang(store, silence_s, met, engine)
            failed = "SELECT * FROM jobs WHERE id = ? AND state = 'failed'"
            row = until(lambda: store.execute(failed, (job,)).fetchone(), PATIENCE_S)
            if f"no token for {silence_s:g} s" not in row["error"] or f"host-{job}.log" not in row["remedy"]:
                raise Lost(f"it failed without saying why: {row['error']} {row['remedy']}")
    finally:
        stop_runner(path)
    return met


def _hang(store: sqlite3.Connection, silence_s: float, met: Met, last: int) -> int:
    """Let the engine that came after the last one hang, once it has given tokens. Returns its number."""
    had = _tokens(store)
    pid = int(until(lambda: _tokens(store) > had and store.execute(AT_WORK, (last,)).fetchone(), PATIENCE_S)[0])
    told = store.execute(TOLD).fetchone()[0]
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    if silence_s > FLAG_S:
        until(lambda: store.execute(TOLD).fetchone()[0] > told, PATIENCE_S)
        met.told_s.append(time.monotonic() - began)
    before, begun = finished(store), stored(store)
    if not wait_until_gone(pid, PATIENCE_S):
        raise Lost(f"the engine {pid} hangs on")
    met.gone_s.append(time.monotonic() - began)
    check(store, before, begun)
    return pid


def _tokens(store: sqlite3.Connection) -> int:
    """Characters of the stored tokens."""
    return sum(map(len, stored(store).values()))


def main() -> None:
    """Run the long form and print what was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--silence", type=float, default=60.0, help="seconds without a token after which an engine is ended")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        met = torture(Path(folder), given.silence)
    if max(met.told_s, default=0.0) > PROMISED_S:
        raise Lost(f"users were told after {max(met.told_s):.1f} s")
    told, gone = (", ".join(f"{seconds:.1f}" for seconds in some) for some in (met.told_s, met.gone_s))
    print(f"{TRIES} hangs: told after {told} s, ended after {gone} s, 0 stored tokens lost, then failed with the engine's log")


if __name__ == "__main__":
    main()
