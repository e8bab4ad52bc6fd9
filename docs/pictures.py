"""Draw the README's pictures from a store of the demo: `python docs/pictures.py runs.db docs`.

The store is copied first. In the copy some runs of the embedded model are queued and started, so that Queue and Live show
runs under way; the store itself stays as it is.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from core.jobs import queue
from core.runner.client import ensure_runner, stop_runner
from core.spec import RunSpec, Sampling
from core.store.connection import opened
from tui import keys
from tui.app import LrmApp
from tui.panes.live import LivePane
from tui.panes.pane import Pane

SIZE = (120, 30)
TIMEOUT_S = 120.0
STEP_S = 0.25
LINES_OF_TEXT = 4
"""Lines of text that Live must show before it is drawn."""


def queue_runs(store: Path) -> None:
    """Queue runs with a seed that the demo does not use; in the first ones loops are frequent, and run on for the audit."""
    template = RunSpec(
        model="pocket",
        compression="none",
        benchmark="",
        engine="llama.cpp",
        sampling=Sampling(max_tokens=1024),
        seed=7,
        audit_share=0.9,
        limit=200,
    )
    specs = queue.grid(["pocket"], ["sparsegpt-85", "q4_0"], ["pocket-logic", "pocket-arithmetic", "pocket-temporal"], template)
    with opened(store, "user") as connection:
        queue.add(connection, specs)


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> bool:
    """Wait for a condition. Returns whether it was met in time.

    `tests.helpers.waiting` is not used: `tests` is not installed, so that this script, which lies in docs, cannot import it.
    """
    waited_s = 0.0
    while not condition() and waited_s < TIMEOUT_S:
        await pilot.pause(STEP_S)
        waited_s += STEP_S
    return waited_s < TIMEOUT_S


async def draw(store: Path, out: Path) -> None:
    """Save one SVG for each pane."""
    app = LrmApp(store)
    async with app.run_test(size=SIZE) as pilot:

        def looping() -> bool:
            live = app.query_one(LivePane)
            loops = [stream.response_id for stream in app.snapshot.streams if stream.loop] if app.snapshot else []
            if loops and live.chosen not in loops:
                live.table.select(str(loops[0]))
            return live.chosen in loops and len(live.stream.rows) > LINES_OF_TEXT

        def has_rows() -> bool:
            return app.query_one(f"#{app.shown}", Pane).table.row_count > 0

        def running() -> bool:
            return any(job.state == "running" and job.done for job in app.snapshot.jobs) if app.snapshot else False

        for name, ready in {"live": looping, "queue": running, **dict.fromkeys(keys.PANES[2:], has_rows)}.items():
            await pilot.press(str(keys.PANES.index(name) + 1))
            if not await until(pilot, ready):
                sys.exit(f"{name}: nothing to draw after {TIMEOUT_S:.0f} s.")
            await pilot.pause()
            print(app.save_screenshot(f"{name}.svg", path=str(out)), flush=True)


def main(source: Path, out: Path) -> None:
    """Draw from a copy of the store, with runs under way."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "runs.db"
        shutil.copy(source, store)
        queue_runs(store)
        ensure_runner(store)
        os.chdir(folder)
        try:
            asyncio.run(draw(Path(store.name), out))
        finally:
            stop_runner(store)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute())
