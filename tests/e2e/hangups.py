"""Lost lines: pseudo-terminals closed under the app while a run goes on: `python -m tests.e2e.hangups --trials 100`.

The first line that is lost is the one from which the runner was started. After each the same runner must still serve and what was
stored must be there; the next app must show the run again, and how long that takes from its start is measured.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from core.runner.client import status, stop_runner
from core.store.connection import connect
from tests.e2e.kill import Lost, check, finished, left_behind, stored, wait_for
from tests.helpers.commands import Terminal

SHOWN = b"pocket"
PATIENCE_S = 120.0
PROMISED_S = 1.0
GONE_S = 30.0


def torture(folder: Path, trials: int, limit: int, seed: int) -> list[float]:
    """Returns the seconds from each start of the app until it showed the runs; raises Lost."""
    rng, path, shown = random.Random(seed), folder / "runs.db", list[float]()
    _shown(Terminal(path, 80, 24, ["demo", "--limit", str(limit)])).hang_up()
    runner = wait_for(path) and status(path).pid
    with closing(connect(path, "reader")) as connection:
        for _ in range(trials):
            began = time.monotonic()
            terminal = _shown(Terminal(path, 80, 24))
            shown.append(time.monotonic() - began)
            terminal.read(rng.uniform(0.0, 1.0), 1.0)
            before, begun = finished(connection), stored(connection)
            terminal.hang_up()
            terminal.process.wait(GONE_S)
            wait_for(path)
            if status(path).pid != runner:
                raise Lost("the runner did not outlive its screen")
            check(connection, before, begun)
    stop_runner(path)
    time.sleep(1.0)
    if left := left_behind(path):
        raise Lost(f"processes left behind: {left}")
    return shown


def _shown(terminal: Terminal) -> Terminal:
    """The terminal, once the app in it shows a run."""
    began = time.monotonic()
    while SHOWN not in terminal.raw:
        terminal.read(0.01, 0.05)
        if time.monotonic() - began > PATIENCE_S:
            raise Lost(f"the app shows no run: {terminal.raw[-500:]!r}")
    return terminal


def main() -> None:
    """Run the long form and print what was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--limit", type=int, default=200, help="questions a benchmark")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shown = torture(Path(folder), given.trials, given.limit, given.seed)
    print(f"{given.trials} lines lost: every run went on, 0 tokens lost; shown again {statistics.median(shown):.2f} s after the "
          f"start of the app (median; slowest {max(shown):.2f} s; {sum(seconds <= PROMISED_S for seconds in shown)} within {PROMISED_S:g} s)")  # fmt: skip


if __name__ == "__main__":
    main()
