"""A verdict's text goes into its note; a text is wrapped beside its scroll bar at once; an ended stream is not left silently."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.widgets import Checkbox, Input

import tui.app as module
from core.errors import UsageError
from core.jobs import queue
from core.spec import RunSpec, Sampling
from core.store.filters import doubt, parse, written
from tests.helpers.tui_rows import sql
from tests.helpers.waiting import eventually
from tui.app import LrmApp
from tui.dialogs.review import ReviewScreen
from tui.panes.live import LivePane
from tui.panes.pane import Pane
from tui.panes.scores import COMPARE, TABLE, ScoresPane
from tui.widgets.reader import Part, Reader


async def test_text_typed_at_a_button_goes_into_the_note_and_nothing_is_stored_unchanged(library: Path) -> None:
    app = LrmApp(library)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("5")
        await eventually(lambda: app.query_one("#responses", Pane).table.row_count)
        before = sql(library, "SELECT count(*) FROM reviews")
        await pilot.press("m")
        await eventually(lambda: isinstance(app.screen, ReviewScreen) and app.screen._before is not None)
        dialog = app.screen
        assert "[ ] flag it" in str(dialog.query_one(Checkbox).render())
        await pilot.press("ctrl+s")
        assert app.screen is dialog and sql(library, "SELECT count(*) FROM reviews") == before
        await pilot.press("t", "w", "o", "space", "x")
        assert dialog.query_one(Input).value == "two x" and not dialog.query_one(Checkbox).value
        await pilot.press("ctrl+s")
        await eventually(lambda: sql(library, "SELECT note FROM reviews ORDER BY id DESC LIMIT 1") == [("two x",)])


class Alone(App[None]):
    """A reader with the app's styles."""

    CSS_PATH: ClassVar = [Path(module.__file__).with_name(name) for name in ("app.tcss", "reading.tcss")]

    def compose(self) -> ComposeResult:
        """The reader."""
        yield Reader()


async def test_a_long_text_is_wrapped_beside_its_scroll_bar_at_once() -> None:
    app = Alone()
    async with app.run_test(size=(80, 24)) as pilot:
        reader = app.query_one(Reader)
        reader.show([Part("text", "", "x" * 5_000, "plain")])
        await pilot.pause()
        assert max(map(len, reader.rows)) == reader.scrollable_content_region.width - 2 == 77


async def test_a_picked_stream_that_ends_stays_until_f_and_another_is_announced(store: Path) -> None:
    app = LrmApp(store)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        live = app.query_one(LivePane)
        await eventually(lambda: live.chosen == 11 and live.table.row_count == 2)
        await pilot.press("down")
        await eventually(lambda: live.chosen == 12)
        sql(store, "UPDATE responses SET state = 'done', finish_reason = 'stop', finished = 3 WHERE id = 12")
        await eventually(lambda: live.table.row_count == 1)
        assert live.chosen == 12 and "f goes to the next" in str(live.query_one("#stream-title").render())
        await pilot.press("f")
        await eventually(lambda: live.chosen == 11)
        assert "has finished" in str(live.query_one("#stream-title").render())


async def test_the_comparison_and_the_table_are_one_key_apart(library: Path) -> None:
    app = LrmApp(library)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        pane = app.query_one(ScoresPane)
        await eventually(lambda: pane.table.row_count and pane.records)
        await pilot.press("down", "c")
        assert pane.at == COMPARE
        await pilot.press("c")
        assert pane.at == TABLE


def test_a_filter_that_does_not_exist_is_refused_and_a_near_word_is_doubted() -> None:
    with pytest.raises(UsageError, match=r"no filter benchmrk:\. Did you mean 'benchmark'"):
        parse("benchmrk:aime")
    with pytest.raises(UsageError, match="no filter bogus"):
        parse("bogus:4")
    assert "Did you mean 'wrong'" in doubt(parse("wrongg")) and "Did you mean 'looped'" in doubt(parse("loop"))
    assert doubt(parse("wrong zebra")) == ""
    for line in ('"bogus:4"', "http://x.y", "wrong zebra", 'job:3 "wrong"'):
        assert parse(written(parse(line))) == parse(line)


@pytest.mark.parametrize("temperature", [9.0, -0.1, float("nan")])
def test_a_temperature_that_makes_no_text_is_refused(temperature: float) -> None:
    spec = RunSpec("pocket", "none", "pocket-temporal", "llama.cpp", Sampling(temperature=temperature))
    with pytest.raises(UsageError, match="temperature"):
        queue.check([spec])
