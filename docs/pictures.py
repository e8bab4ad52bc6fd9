"""Draw the README's pictures from a store: `python docs/pictures.py runs.db docs`.

Live is drawn where a run is under way, so call it while one is (`lrm-tui demo --headless &`).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from tui import keys
from tui.app import LrmApp
from tui.panes.pane import Pane
from tui.widgets.stream import StreamView

SIZE = (120, 30)
PATIENCE_S = 120.0
STEP_S = 1.0


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> bool:
    """Wait for a condition; whether it came."""
    waited = 0.0
    while not condition() and waited < PATIENCE_S:
        await pilot.pause(STEP_S)
        waited += STEP_S
    return waited < PATIENCE_S


async def draw(store: Path, out: Path) -> None:
    """Save one SVG a pane."""
    app = LrmApp(store)
    async with app.run_test(size=SIZE) as pilot:
        for number, name in enumerate(keys.PANES, 1):
            pane = app.query_one(f"#{name}", Pane)
            await pilot.press(str(number))
            filled = (
                (lambda: any(v.rows for v in app.query(StreamView))) if name == "live" else lambda at=pane: at.table.row_count
            )
            if await until(pilot, filled):
                await pilot.pause(STEP_S)
                print(app.save_screenshot(f"{name}.svg", path=str(out)), flush=True)


if __name__ == "__main__":
    asyncio.run(draw(Path(sys.argv[1]).absolute(), Path(sys.argv[2])))
