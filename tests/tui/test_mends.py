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
from core.results.show.word_diff import word_diff
from core.spec import RunSpec, Sampling
from core.store.filters import doubt, parse, written
from tests.helpers.tui_rows import sql
from tests.helpers.waiting import eventually
from tui.app import LrmApp
from tui.dialogs.review import ReviewScreen
from tui.dialogs.variants import _share
from tui.panes.live import LivePane
from tui.panes.pane import Pane
from tui.panes.scores import COMPARE, TABLE, ScoresPane
from tui.widgets.reader import Part, Reader
from tui.widgets.side_by_side import SideBySide


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


class Beside(Alone):
    """Two texts side by side, with the app's styles."""

    def compose(self) -> ComposeResult:
        """Both columns."""
        yield SideBySide()


async def test_both_columns_are_wrapped_beside_the_scroll_bar_at_once_and_none_is_red_or_green() -> None:
    app = Beside()
    async with app.run_test(size=(80, 24)) as pilot:
        beside = app.query_one(SideBySide)
        beside.show(word_diff("left " * 900, "right " * 900))
        await pilot.pause()
        widths = [max(len(row[side]) for row in beside.rows) for side in (0, 1)]
        assert beside.show_vertical_scrollbar and sum(widths) + 3 <= beside.scrollable_content_region.width < 80
        colours = {segment.style.color.name for segment in beside.render_line(0) if segment.style and segment.style.color}
        assert {"yellow", "cyan"} <= colours and not colours & {"red", "green"}


def test_how_much_was_compared_is_said_of_long_texts() -> None:
    same = " ".join(f"word{number}" for number in range(36_800))
    assert _share(word_diff(same, same)) == " · 100 % of the left one's words stand in the right one"
    turned = " ".join(reversed(same.split()))
    assert "of the left one's 20,000 compared words" in _share(word_diff(same, turned))
    assert "16,800 more are not compared" in _share(word_diff(same, turned))


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
