"""Draw the README's pictures from a store: `python docs/pictures.py runs.db docs`. For Live and the queue let something run."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tui.app import LrmApp
from tui.screens.new_run import NewRun

SIZE = (120, 30)
PANES = {"1": "queue", "2": "live", "3": "scores", "4": "lengths", "5": "responses"}


async def draw(store: Path, out: Path) -> None:
    """Save one SVG a pane, and one of the form."""
    app = LrmApp(store)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(2)
        for key, name in PANES.items():
            await pilot.press(key)
            await pilot.pause(4)
            app.save_screenshot(f"{name}.svg", path=str(out))
        await pilot.press("1", "n")
        assert isinstance(app.screen, NewRun)
        await pilot.pause(3)
        app.save_screenshot("new-run.svg", path=str(out))


if __name__ == "__main__":
    asyncio.run(draw(Path(sys.argv[1]).absolute(), Path(sys.argv[2])))
