"""Every screen as a picture, at three sizes: `pytest tests/tui/test_pictures.py --snapshot-update` draws them anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, SelectionList

from core.engines import memory
from core.jobs import estimate, models
from tests.helpers.waiting import eventually
from tui import keys, poller
from tui.app import LrmApp
from tui.meter import Gpu, Meter, Sample
from tui.panes.pane import Pane
from tui.terminal import Look
from tui.widgets.stream import StreamView

SIZES = {"narrow": (80, 24), "middle": (120, 40), "wide": (200, 60)}
DIALOGS = {
    "help": ["question_mark"],
    "confirm": ["c"],
    "error": ["down", "down", "down", "e"],
    "response": ["5", "enter"],
    "form": ["n"],
    "loop": ["2", "down"],
    "palette": ["ctrl+p"],
    "notices": ["exclamation_mark"],
    "collapse": ["4", "c"],
}


def reach(steps: list[str]) -> Callable[[Pilot[None]], Awaitable[None]]:
    """Press the keys and wait until nothing changes any more."""

    async def run(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, LrmApp)
        await eventually(lambda: app.query_one("#queue", Pane).table.row_count == 5)
        await eventually(lambda: app.query_one("#queue", Pane).table.has_focus)
        await settled(pilot)
        for key in steps:
            await pilot.press(key)
            await eventually(lambda: app.query_one(f"#{app.shown}", Pane).table.row_count)
            await pilot.pause()
        for field in app.screen.query(Input):
            field.cursor_blink = False
        for choices in app.screen.query("#benchmarks").results(SelectionList):
            await eventually(lambda found=choices: found.option_count)
        for view in app.screen.query(StreamView):
            await eventually(lambda found=view: found.rows or not found.display or not found.is_on_screen)
        await settled(pilot)

    return run


async def settled(pilot: Pilot[None]) -> None:
    """Until the screen has looked the same for a while, however slow the machine."""
    seen: list[str] = []
    while len(seen) < 4 or len(set(seen[-4:])) > 1:
        await pilot.pause(0.15)
        seen.append("\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips()))


@pytest.fixture
def app(store: Path, monkeypatch: pytest.MonkeyPatch) -> LrmApp:
    """The workbench over the store of many rows, with a path and a machine that are the same everywhere."""
    monkeypatch.chdir(store.parent)
    monkeypatch.setenv("TZ", "UTC")
    still(monkeypatch)
    return LrmApp(Path(store.name))


def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sample of the machine, always the same."""
    monkeypatch.setattr(poller, "METER_S", 1e9)
    monkeypatch.setattr(Meter, "sample", lambda _: Sample(37.0, 3 << 30, 16 << 30, (Gpu(0, 81, 21 << 30, 24 << 30, 61),)))
    monkeypatch.setattr(memory, "free_memory", lambda: 10 << 30)
    monkeypatch.setattr(estimate, "threads", lambda _: 1)  # the usual number of slots depends on it
    monkeypatch.setattr(models, "known", lambda _: ["pocket"])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pane", keys.PANES)
def test_pane(app: LrmApp, snap_compare: Callable[..., bool], pane: str, size: str) -> None:
    steps = [str(keys.PANES.index(pane) + 1)]
    assert snap_compare(app, terminal_size=SIZES[size], run_before=reach(steps))


@pytest.mark.parametrize("dialog", DIALOGS)
def test_dialog(app: LrmApp, snap_compare: Callable[..., bool], dialog: str) -> None:
    assert snap_compare(app, terminal_size=SIZES["narrow"], run_before=reach(DIALOGS[dialog]))


@pytest.mark.parametrize("size", ["middle", "wide"])
def test_form(app: LrmApp, snap_compare: Callable[..., bool], size: str) -> None:
    assert snap_compare(app, terminal_size=SIZES[size], run_before=reach(["n"]))


@pytest.mark.parametrize("pane", keys.PANES)
def test_pane_without_colour(
    store: Path, monkeypatch: pytest.MonkeyPatch, snap_compare: Callable[..., bool], pane: str
) -> None:
    monkeypatch.chdir(store.parent)
    monkeypatch.setenv("NO_COLOR", "1")
    still(monkeypatch)
    steps = [str(keys.PANES.index(pane) + 1)]
    assert snap_compare(LrmApp(Path(store.name)), terminal_size=SIZES["middle"], run_before=reach(steps))


@pytest.mark.parametrize("size", SIZES)
async def test_no_color_means_none_and_ascii_means_ascii(store: Path, monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    """At every size, on every pane and in the form, nothing that reaches the terminal has a colour or a sign beyond ASCII."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = LrmApp(store, look=Look(ascii=True))
    async with app.run_test(size=SIZES[size]) as pilot:
        await eventually(lambda: app.query_one("#queue", Pane).table.row_count == 5)
        for key in ("2", "3", "4", "5", "1", "n"):
            await pilot.press(key)
            await pilot.pause()
            strips = app.screen._compositor.render_strips()
            segments = [segment for strip in strips for segment in strip]
            assert all(segment.text.isascii() for segment in segments), key
            colours = {c for s in segments if s.style for c in (s.style.color, s.style.bgcolor) if c and not c.is_default}
            assert not colours, key
            assert all(strip.cell_length == SIZES[size][0] for strip in strips)


def test_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snap_compare: Callable[..., bool]) -> None:
    monkeypatch.chdir(tmp_path)
    assert snap_compare(LrmApp(Path("runs.db")), terminal_size=SIZES["narrow"])
