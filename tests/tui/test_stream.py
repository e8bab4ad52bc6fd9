"""The stream widget: cut anywhere, wrapped once, a window of lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult

from tui.widgets.stream import StreamView
from tui.widgets.wrapping import wrap


class One(App[None]):
    def compose(self) -> ComposeResult:
        yield StreamView(low=20, high=30)


@given(st.text(st.sampled_from("ab \u4e00\u0301"), max_size=60), st.integers(2, 9))
def test_wrapping_loses_nothing_and_fits(text: str, width: int) -> None:
    rows = wrap(text, width)
    assert "".join(rows) == text
    assert all(cell_len(row.rstrip(" ")) <= width for row in rows)


async def test_cuts_do_not_matter_and_a_resize_wraps_anew() -> None:
    text = "I think [/b] of a \x1b[31mlong line of words.\r\nSecond.</think>\nThe answer." * 1
    shown = []
    for size in (1, 3, len(text)):
        app = One()
        async with app.run_test(size=(20, 10)) as pilot:
            view = app.query_one(StreamView)
            view.start()
            for at in range(0, len(text), size):
                view.append(text[at : at + size])
            view.finish()
            shown.append([row for row in view.rows if row])
            assert "\x1b" not in "".join(view.rows)
            await pilot.resize_terminal(60, 10)
            await pilot.pause()
            assert "I think [/b] of a ␛[31mlong line of words." in view.rows
    assert shown[0] == shown[1] == shown[2]
    assert "── answer ──" in shown[0]


async def test_the_window_is_finite_and_follows() -> None:
    app = One()
    async with app.run_test(size=(20, 10)) as pilot:
        view = app.query_one(StreamView)
        for number in range(500):
            view.append(f"line {number}\n")
        await pilot.pause()
        assert len(view.rows) <= 30 and view.dropped > 400
        assert view.rows[-2] == "line 499" and view.is_vertical_scroll_end
