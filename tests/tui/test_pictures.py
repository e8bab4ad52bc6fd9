"""Every screen as a picture, narrow and wide: `pytest tests/tui/test_pictures.py --snapshot-update` draws them anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, SelectionList
from tui_rows import until

from tui import keys
from tui.app import LrmApp
from tui.screens.pane import Pane
from tui.widgets.stream import StreamView

SIZES = {"narrow": (80, 24), "wide": (160, 48)}
DIALOGS = {
    "help": ["question_mark"],
    "confirm": ["c"],
    "error": ["down", "down", "down", "e"],
    "response": ["5", "enter"],
    "form": ["n"],
    "loop": ["2", "down"],
    "collapse": ["4", "c"],
}


def reach(steps: list[str]) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Press the keys and wait until nothing changes any more."""

    async def run(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, LrmApp)
        await until(lambda: app.query_one("#queue", Pane).table.row_count == 5)
        for key in steps:
            await pilot.press(key)
            await until(lambda: app.query_one(f"#{app.shown}", Pane).table.row_count)
            await pilot.pause()
        for field in app.screen.query(Input):
            field.cursor_blink = False
        for choices in app.screen.query("#benchmarks").results(SelectionList):
            await until(lambda found=choices: found.option_count)
        for view in app.screen.query(StreamView):
            await until(lambda found=view: found.rows or not found.display or not found.is_on_screen)
        await pilot.pause(0.3)

    return run


@pytest.fixture
def app(store: Path, monkeypatch: pytest.MonkeyPatch) -> LrmApp:
    """The workbench over the store of many rows, whose path is the same on every machine."""
    monkeypatch.chdir(store.parent)
    monkeypatch.setenv("TZ", "UTC")
    return LrmApp(Path(store.name))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pane", keys.PANES)
def test_pane(app: LrmApp, snap_compare: Callable[..., bool], pane: str, size: str) -> None:
    steps = [str(keys.PANES.index(pane) + 1)]
    assert snap_compare(app, terminal_size=SIZES[size], run_before=reach(steps))


@pytest.mark.parametrize("dialog", DIALOGS)
def test_dialog(app: LrmApp, snap_compare: Callable[..., bool], dialog: str) -> None:
    assert snap_compare(app, terminal_size=SIZES["narrow"], run_before=reach(DIALOGS[dialog]))


def test_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snap_compare: Callable[..., bool]) -> None:
    monkeypatch.chdir(tmp_path)
    assert snap_compare(LrmApp(Path("runs.db")), terminal_size=SIZES["narrow"])
