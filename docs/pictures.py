"""Draw the README's pictures from a store: `python docs/pictures.py runs.db docs`.

Live is drawn where a run is under way, so call it while one is (`lrm-tui demo --headless &`).
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tui import keys
from tui.app import LrmApp
from tui.screens.new_run import NewRun
from tui.widgets.stream import StreamView

SIZE = (120, 30)
SETTLED_S = 4.0


async def draw(store: Path, out: Path) -> None:
    """Save one SVG a pane, and one of the form."""
    app = LrmApp(store)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(SETTLED_S)
        for number, name in enumerate(keys.PANES, 1):
            await pilot.press(str(number))
            await pilot.pause(SETTLED_S)
            if name != "live" or any(view.rows for view in app.query(StreamView)):
                print(app.save_screenshot(f"{name}.svg", path=str(out)))
        await pilot.press("1", "n")
        assert isinstance(app.screen, NewRun)
        await pilot.pause(SETTLED_S)
        print(app.save_screenshot("new-run.svg", path=str(out)))


if __name__ == "__main__":
    asyncio.run(draw(Path(sys.argv[1]).absolute(), Path(sys.argv[2])))
