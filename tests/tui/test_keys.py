"""Every key does what the registry says: one without a test here fails. (tests/docs compares docs/keys.md with the registry.)"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

from core.store.connection import connect
from core.store.filters import ORDERS, VERDICTS
from tests.helpers.tui_rows import add_chunk, sql
from tests.helpers.waiting import eventually
from tui import keys
from tui.app import LrmApp
from tui.dialogs.messages import Confirm, Note
from tui.dialogs.new_run import NewRun
from tui.panes.lengths import SHARES, LengthsPane
from tui.panes.live import LivePane
from tui.panes.pane import Pane
from tui.panes.report import ReportPane
from tui.panes.scores import ScoresPane
from tui.widgets.choices import Choices
from tui.widgets.finder import Finder

SCREENS = ("queue", "live", "table", "finder", "form", "dialog", "confirm", "app")
"""Tested here; the others in tests/tui/test_reading.py and test_app.py."""
Check = Callable[[LrmApp, Pilot[None], Path], Awaitable[None]]
CHECKS: dict[str, Check] = {}


def check(name: str) -> Callable[[Check], Check]:
    """Register what must come of a key."""

    def keep(function: Check) -> Check:
        CHECKS[name] = function
        return function

    return keep


def press(name: str) -> str:
    """The first key of a registry entry, as the pilot spells it."""
    spelled = next(key.key for key in keys.KEYS if key.id == name).partition(",")[0]
    return {"?": "question_mark", "!": "exclamation_mark", "[": "left_square_bracket", "]": "right_square_bracket"}.get(
        spelled, spelled
    )


@pytest.mark.parametrize("key", [key for key in keys.KEYS if key.screen in SCREENS], ids=lambda key: key.id)
async def test_key(store: Path, key: keys.Key) -> None:
    app = LrmApp(store)
    async with app.run_test(size=(80, 24)) as pilot:
        await eventually(lambda: pane(app).table.row_count == 5 and pane(app).table.has_focus)
        await CHECKS[key.id](app, pilot, store)


def description(name: str) -> str:
    return next(key.description for key in keys.KEYS if key.id == name)


@pytest.mark.parametrize(("key", "pane_class"), [("scores.view", ScoresPane), ("lengths.view", LengthsPane)])
def test_help_lists_every_view_of_a_pane(key: str, pane_class: type[ReportPane]) -> None:
    assert description(key) == "Next view: " + ", ".join(view.name.lower() for view in pane_class.views)


def test_help_lists_shares_and_orders_as_the_keys_walk_them() -> None:
    assert f"{', '.join(f'{share:.0f}' for share in SHARES)} %" in description("lengths.share")
    assert f"{', '.join(ORDERS)} first" in description("responses.order")
    assert ", ".join(VERDICTS[1:4]) in description("responses.filter")


def test_no_key_means_two_things_in_one_place() -> None:
    for screen in keys.TITLES:
        for around in {"table", "app"} if screen in keys.PANES else ():
            mine = [name for key in (*keys.of(screen), *keys.of(around)) for name in key.key.split(",")]
            assert len(mine) == len(set(mine)), (screen, around)


def pane(app: LrmApp) -> Pane:
    return app.screen_stack[0].query_one(f"#{app.shown}", Pane)


def row(app: LrmApp) -> str | None:
    return pane(app).table.selected


async def states(store: Path, job: int, state: str, wanted: str | None = None) -> None:
    await eventually(lambda: sql(store, "SELECT state, wanted FROM jobs WHERE id = ?", job) == [(state, wanted)])


@check("queue.new")
async def new(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press(press("queue.new"))
    assert isinstance(app.screen, NewRun)


@check("queue.clone")
async def clone(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press("down", press("queue.clone"))
    await eventually(lambda: isinstance(app.screen, NewRun))


@check("queue.cancel")
async def cancel(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press("down", press("queue.cancel"), press("confirm.yes"))
    await states(store, 2, "cancelled")


@check("queue.pause")
async def pause(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press("down", press("queue.pause"))
    await states(store, 2, "paused")
    await eventually(lambda: app.snapshot and app.snapshot.jobs[1].state == "paused")
    await pilot.press(press("queue.pause"))
    await states(store, 2, "queued")


@check("queue.requeue")
async def requeue(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press("down", "down", "down", press("queue.requeue"))
    await states(store, 4, "queued")


@check("queue.up")
async def up(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press("down", "down", press("queue.up"))
    await eventually(lambda: sql(store, "SELECT position FROM jobs WHERE id = 3") == [(2.0,)])


@check("queue.down")
async def down(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press("down", press("queue.down"))
    await eventually(lambda: sql(store, "SELECT position FROM jobs WHERE id = 2") == [(3.0,)])


@check("queue.open")
async def opened(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press(press("queue.open"))
    assert app.shown == "live"


@check("queue.error")
async def error(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press(press("queue.error"))
    assert isinstance(app.screen, Note)


async def streaming(app: LrmApp, pilot: Pilot[None], store: Path) -> LivePane:
    """Live at a stream of many lines with two words to find and a loop at its end."""
    loop = "round and round it goes. " * 40
    text = "".join(f"line {n} {'needle' if n in (5, 50) else 'hay'}\n" for n in range(80)) + loop
    connection = connect(store, "user")
    add_chunk(connection, 11, 1, text)
    onset = (
        len(str(connection.execute("SELECT text FROM chunks WHERE response_id = 11 AND seq = 0").fetchone()[0]))
        + len(text)
        - 1000
    )
    connection.execute(
        "UPDATE responses SET collapsed = 1, loop_rule = 'verbatim', loop_onset = ?, loop_position = ?, loop_period = 25, "
        "loop_unit = 'round and round it goes. ', loop_count = 40, audited = 0 WHERE id = 11",
        (onset, onset + 500),
    )
    connection.close()
    await pilot.press("2")
    live = app.query_one(LivePane)
    await eventually(lambda: "× 40 rounds" in live.stream.rows and "line 79 hay" in live.stream.rows)
    await eventually(lambda: live.stream.scroll_offset.y > 0)
    return live


@check("live.follow")
async def follow(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    live = await streaming(app, pilot, store)
    assert live.stream.follow
    await pilot.press(press("live.follow"))
    assert not live.stream.follow
    await pilot.press(press("live.follow"))
    assert live.stream.follow


@check("live.pause")
async def hold(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    live = await streaming(app, pilot, store)
    await pilot.press("down")
    await eventually(lambda: live.chosen == 12 and any("stream 12" in row for row in live.stream.rows))
    await pilot.press(press("live.pause"))
    connection = connect(store, "user")
    add_chunk(connection, 12, 1, "\nwhat came meanwhile")
    connection.close()
    await pilot.pause(1.5)
    assert live.paused and not any("meanwhile" in row for row in live.stream.rows)
    await pilot.press(press("live.pause"))
    await eventually(lambda: any("meanwhile" in row for row in live.stream.rows))


@check("live.search")
async def search(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    live = await streaming(app, pilot, store)
    await pilot.press(press("live.search"), *"NEEDLE", "enter")
    assert live._search_state.endswith("of 2") and live.table.has_focus and not live.stream.follow


@check("live.next")
async def following(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    live = await streaming(app, pilot, store)
    await pilot.press("slash", *"needle", "enter")
    first = live._search_state
    await pilot.press(press("live.next"))
    assert live._search_state != first and live._search_state.endswith("of 2")


@check("live.previous")
async def previous(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    live = await streaming(app, pilot, store)
    await pilot.press("slash", *"needle", "enter")
    first = live._search_state
    await pilot.press("n", press("live.previous"))
    assert live._search_state == first


@check("live.loop")
async def to_loop(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    live = await streaming(app, pilot, store)
    await pilot.press(press("live.loop"))
    assert live.stream.rows[live.stream._here].startswith("round and round")


@check("live.copy")
async def copy(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await streaming(app, pilot, store)
    await pilot.press(press("live.copy"))
    file = store.parent / "state" / "lrm-tui" / "copies" / "response-11.txt"
    assert file.read_text().count("round and round") == 40 and "\x1b" in file.read_text()
    assert "needle" in app.clipboard and "\x1b" not in app.clipboard


@check("live.back")
async def back(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    live = await streaming(app, pilot, store)
    end = live.stream.scroll_offset.y
    await pilot.press(press("live.back"))
    await eventually(lambda: live.stream.scroll_offset.y < end)


@check("live.on")
async def on(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    live = await streaming(app, pilot, store)
    await pilot.press("left_square_bracket", "left_square_bracket")
    await pilot.pause()
    at = live.stream.scroll_offset.y
    await pilot.press(press("live.on"))
    await eventually(lambda: live.stream.scroll_offset.y > at)


def moves(name: str, before: list[str], expected: str) -> None:
    """A key of tables, in both kinds of table."""

    @check(name)
    async def run(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
        await pilot.press(*before, press(name))
        await pilot.pause()
        assert row(app) == expected
        await pilot.press("2")
        live = app.query_one(LivePane)
        await eventually(lambda: live.table.row_count == 2)
        await pilot.press(press(name))
        assert live.table.selected == ("11" if name in ("table.up", "table.page_up", "table.top") else "12")


moves("table.up", ["down", "down"], "2")
moves("table.down", [], "2")
moves("table.page_up", ["down", "down"], "1")
moves("table.page_down", [], "5")
moves("table.top", ["down", "down"], "1")
moves("table.bottom", [], "5")


@check("table.left")
@check("table.right")
async def sideways(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press("right", "left")
    assert row(app) == "1" and pane(app).table.scroll_offset.x == 0


@check("finder.leave")
async def forget(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    live = await streaming(app, pilot, store)
    await pilot.press("slash", *"hay", press("finder.leave"))
    finder = live.query_one(Finder)
    assert not finder.display and finder.value == "" and live._search_state == ""


async def form(app: LrmApp, pilot: Pilot[None]) -> None:
    """The form, once it knows what there is to choose."""
    await pilot.press("n")
    await eventually(lambda: isinstance(app.screen, NewRun) and app.screen.query_one(Choices).has_focus)
    await eventually(lambda: app.screen.query_one("#benchmarks", Choices).option_count >= 8)


@check("form.submit")
async def submit(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await form(app, pilot)
    app.screen.query_one("#limit", Input).value = "3"
    await pilot.press(press("form.submit"))
    await eventually(lambda: sql(store, "SELECT item_limit FROM jobs WHERE id > 5 AND kind = 'run'") == [(3,)])


@check("form.help")
async def form_help(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await form(app, pilot)
    await pilot.press(press("form.help"))
    await eventually(lambda: isinstance(app.screen, Note))


@check("form.close")
async def form_close(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await form(app, pilot)
    await pilot.press(press("form.close"))
    await pilot.pause()
    assert len(app.screen_stack) == 1 and sql(store, "SELECT count(*) FROM jobs") == [(5,)]


@check("dialog.close")
async def close(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press("e", press("dialog.close"))
    await pilot.pause()
    assert len(app.screen_stack) == 1


@check("confirm.yes")
async def yes(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press("c", press("confirm.yes"))
    await states(store, 1, "running", "cancel")


@check("confirm.no")
async def no(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press("down", "c")
    assert isinstance(app.screen, Confirm)
    await pilot.press(press("confirm.no"))
    await pilot.pause()
    assert sql(store, "SELECT state FROM jobs WHERE id = 2") == [("queued",)]


def to_pane(name: str) -> None:
    @check(f"app.{name}")
    async def run(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
        await pilot.press("2", press(f"app.{name}"))
        assert app.shown == name


for name in keys.PANES:
    to_pane(name)


@check("app.start")
async def start(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    from core.runner import client

    asked: Any = client.ensure_runner.__self__  # type: ignore[attr-defined]  # see conftest: what it was asked for
    await pilot.press(press("app.start"))
    await eventually(lambda: asked == [store])


@check("app.palette")
async def palette(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press(press("app.palette"))
    assert isinstance(app.screen, CommandPalette)
    await pilot.press(*"message")
    await pilot.pause(1)
    await pilot.press("enter")
    await eventually(lambda: isinstance(app.screen, Note))


@check("app.theme")
async def theme(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press(press("app.theme"))
    assert isinstance(app.screen, CommandPalette)
    await pilot.press(*"nord")
    await pilot.pause(1)
    await pilot.press("enter")
    await eventually(lambda: app.theme == "nord")


@check("app.notices")
async def notices(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    sql(store, "INSERT INTO notices (at, level, message, remedy) VALUES (1, 'error', 'It broke [/x].', 'Mend it.')")
    await eventually(lambda: app.snapshot and app.snapshot.notices)
    await pilot.press(press("app.notices"))
    assert isinstance(app.screen, Note) and "It broke [/x]. Mend it." in str(app.screen._body)


@check("app.help")
async def help_(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press(press("app.help"))
    assert isinstance(app.screen, Note) and str(app.screen._body).startswith("Queue")


@check("app.quit")
async def leave(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press(press("app.quit"))
    assert app._exit


@check("app.quit_now")
async def leave_now(app: LrmApp, pilot: Pilot[None], store: Path) -> None:
    await pilot.press("n", press("app.quit_now"))
    assert app._exit
