"""Every screen of Scores, Lengths and Responses at three sizes, in colour and without, as text with its styles.

`pytest tests/tui/test_reading_screens.py --snapshot-update` writes them anew. A session visits every screen of a size, because
opening the app costs more than drawing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
from rich.color import Color
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Input

from tests.helpers.waiting import eventually
from tui.app import LrmApp
from tui.dialogs.flips import FlipsScreen
from tui.dialogs.response import ResponseScreen
from tui.dialogs.review import ReviewScreen
from tui.dialogs.variants import VariantsScreen
from tui.panes import lengths, report, scores
from tui.panes.report import ReportPane
from tui.panes.responses import ResponsesPane
from tui.widgets.lazy_table import LazyTable
from tui.widgets.reader import Reader
from tui.widgets.side_by_side import SideBySide

SIZES = ((80, 24), (120, 40), (200, 60))
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

Steps = Callable[[LrmApp, Pilot[None]], Awaitable[None]]


def picture(strips: list[Strip]) -> str:
    """The text of a screen, below it how many cells of each line have which style, and what the styles are."""
    names: dict[str, str] = {}
    lines, styles = [], []
    for strip in strips:
        lines.append(strip.text.rstrip())
        cells = [str(segment.style or "none") for segment in strip for _ in range(segment.cell_length)]
        runs = [(names.setdefault(style, LETTERS[len(names) % len(LETTERS)]), len(list(run))) for style, run in groupby(cells)]
        styles.append("".join(f"{letter}{count}" for letter, count in runs))
    legend = [f"{letter} = {style}" for style, letter in names.items()]
    return "\n".join([*lines, "--", *(f"{line} × {len(list(run))}" for line, run in groupby(styles)), "--", *legend])


def coloured(colour: Color | None) -> bool:
    """Whether it is any but the terminal's own."""
    return colour is not None and not colour.is_default


async def wait(true: Callable[[], object]) -> None:
    """Wait patiently: the machine may be busy."""
    await eventually(true, 300)


async def responses(app: LrmApp, pilot: Pilot[None], line: str, count: int) -> ResponsesPane:
    """The list at a filter."""
    await pilot.press("5", "slash")
    pane = app.query_one(ResponsesPane)
    pane.query_one(Input).value = line
    await pilot.press("enter")
    await wait(lambda: pane._count == count and len(pane._rows) == count and not pane._loading)
    return pane


async def settled(app: LrmApp, pilot: Pilot[None]) -> None:
    """Until no worker is at work and two pictures are the same."""
    await wait(lambda: not [worker for worker in app.workers if worker.is_running])
    before = ""
    for _ in range(50):
        await pilot.pause(0.1)
        now = picture(app.screen._compositor.render_strips())
        if now == before:
            return
        before = now


async def listed(app: LrmApp, pilot: Pilot[None]) -> None:
    """Every response."""
    await responses(app, pilot, "", 73)


async def searched(app: LrmApp, pilot: Pilot[None]) -> None:
    """Hits of a search, the filter line open."""
    await responses(app, pilot, "zebras wrong job:9", 3)
    await pilot.press("slash")
    app.query_one(ResponsesPane).query_one(Input).cursor_blink = False


async def none_such(app: LrmApp, pilot: Pilot[None]) -> None:
    """A filter that nothing passes."""
    await pilot.press("escape")
    await responses(app, pilot, "unicorns", 0)


async def read(app: LrmApp, pilot: Pilot[None]) -> None:
    """A response judged by hand."""
    await responses(app, pilot, "reviewed", 2)
    await pilot.press("down", "enter")
    assert isinstance(app.screen, ResponseScreen)
    await wait(lambda: app.screen.query_one(Reader).rows)


async def looped(app: LrmApp, pilot: Pilot[None]) -> None:
    """A folded loop with a search in it."""
    await pilot.press("escape")
    await responses(app, pilot, "looped job:9", 1)
    await pilot.press("enter")
    await wait(lambda: app.screen.query_one(Reader).rows)
    await pilot.press("slash", *"days", "enter")


async def variants(app: LrmApp, pilot: Pilot[None]) -> None:
    """Two variants side by side."""
    await pilot.press("escape")
    await responses(app, pilot, "job:1 oldest", 6)
    await pilot.press("down", "v")
    assert isinstance(app.screen, VariantsScreen)
    await wait(lambda: app.screen.query_one(SideBySide).rows)


async def review(app: LrmApp, pilot: Pilot[None]) -> None:
    """The dialog for a verdict by hand."""
    await pilot.press("escape")
    await responses(app, pilot, "reviewed", 2)
    await pilot.press("m")
    assert isinstance(app.screen, ReviewScreen)
    await wait(lambda: app.screen.query_one(Input).value)
    app.screen.query_one(Input).cursor_blink = False


def view(pane: str, at: int, *keys: str) -> Steps:
    """A view of Scores or Lengths."""

    async def reach(app: LrmApp, pilot: Pilot[None]) -> None:
        while app.screen is not app.screen_stack[0]:
            await pilot.press("escape")
        await pilot.press(pane)
        shown = app.query_one(f"#{app.shown}", ReportPane)
        shown.turn(at)
        await wait(lambda: shown.records)
        await pilot.press(*keys)

    return reach


async def compared(app: LrmApp, pilot: Pilot[None]) -> None:
    """Two variants compared."""
    await view("3", 0)(app, pilot)
    pane = app.query_one("#scores", ReportPane)
    pane.choose(replace(pane.choices, one="tiny none", other="tiny magnitude-50"))
    pane.turn(scores.COMPARE)
    await wait(lambda: pane.records)


async def flipped(app: LrmApp, pilot: Pilot[None]) -> None:
    """The questions that flipped."""
    await pilot.press("enter")
    assert isinstance(app.screen, FlipsScreen)
    await wait(lambda: app.screen.query_one(LazyTable).row_count)


SCREENS: dict[str, Steps] = {
    "responses": listed,
    "search": searched,
    "nothing passes": none_such,
    "one response": read,
    "a loop": looped,
    "side by side": variants,
    "review": review,
    "scores": view("3", 0, "right", "right", "o"),
    "published": view("3", scores.PUBLISHED),
    "recorded": view("3", scores.RECORDED),
    "compare": compared,
    "flips": flipped,
    "recommend": view("3", scores.RECOMMEND),
    "curves": view("3", scores.CURVES),
    "lengths": view("4", 0, "down"),
    "printed lengths": view("4", lengths.PUBLISHED),
    "deciles": view("4", lengths.DECILES, "down"),
    "collapse": view("4", lengths.COLLAPSE),
}


@pytest.mark.parametrize(
    ("size", "colour"),
    [
        pytest.param(
            size,
            colour,
            id=f"{size[0]}x{size[1]}-{colour}",
            marks=[pytest.mark.long] if size[0] == 200 or (size[0] > 80 and colour != "colour") else [],
        )
        for size in SIZES
        for colour in ("colour", "no colour")
    ],
)
async def test_every_screen(
    library: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion, size: tuple[int, int], colour: str
) -> None:
    monkeypatch.chdir(library.parent)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setattr(report, "_memory", lambda: "16GB")
    if colour == "no colour":
        monkeypatch.setenv("NO_COLOR", "1")
    app = LrmApp(Path(library.name))
    async with app.run_test(size=size) as pilot:
        await wait(lambda: app.snapshot)
        for name, reach in SCREENS.items():
            await reach(app, pilot)
            await settled(app, pilot)
            strips = app.screen._compositor.render_strips()
            assert all(strip.cell_length == size[0] for strip in strips), name
            if colour == "no colour":
                assert not [
                    s for strip in strips for s in strip if s.style and any(map(coloured, (s.style.color, s.style.bgcolor)))
                ], name
            assert picture(strips) == snapshot(name=name)
