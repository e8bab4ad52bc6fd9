"""Styled lines, the reader and two columns: what they draw of any text is safe, whole and no wider than the screen."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style
from textual.app import App, ComposeResult

from core.results.show.word_diff import word_diff
from core.text import printable
from tui.dialogs.response_parts import loop_end
from tui.shown import progress
from tui.widgets.field import Field
from tui.widgets.reader import Part, Reader
from tui.widgets.side_by_side import SideBySide
from tui.widgets.styled import lines_of

TEXT = st.text(alphabet=st.sampled_from("ab \n\t\x1b\u202e\r漢é[]/"), max_size=60)
RED = Style(color="red")


@given(TEXT, st.integers(0, 60), st.integers(0, 60), st.integers(2, 20))
def test_lines_keep_the_text_and_its_marks(text: str, start: int, length: int, width: int) -> None:
    lines = lines_of(text, [(start, start + length, RED)])
    if "\r\n" not in text:  # a mark may stand between the two
        assert "\n".join(line.text for line in lines) == printable(text, keep_newlines=True)
    marked = "".join(line.text[a:b] for line in lines for a, b, _ in line.marks)
    wanted = printable(text[start : start + length], keep_newlines=True)
    assert marked == wanted.replace("\n", "")
    for line in lines:
        rows = line.wrapped(width)
        assert "".join(row.text for row in rows) == line.text
        assert all(cell_len(row.text.rstrip()) <= width for row in rows)
        assert "".join(segment.text for row in rows for segment in row.segments(Style())) == line.text


def test_a_loop_ends_where_it_breaks_off() -> None:
    assert loop_end("xxabcabcabcaQ", 2, 3) == 12
    assert loop_end("xxabcabcabc", 2, 3) == 11
    assert loop_end("xxabQ", 2, 3) == 5


class Shown(App[None]):
    """Both widgets."""

    def compose(self) -> ComposeResult:
        yield Reader()
        yield SideBySide()


async def test_the_reader_finds_and_walks() -> None:
    app = Shown()
    async with app.run_test(size=(30, 20)) as pilot:
        reader = app.query_one(Reader)
        reader.styles.height = 8
        reader.show([Part("a", "First", "one two " * 40, "plain"), Part("b", "Second", "three [/x] \x1b[2J two", "answer")])
        await pilot.pause()
        assert reader.go("b") and not reader.go("c")
        reader.find(re.compile("two"))
        reader.step(-1)
        assert reader.matches == (41, 41)
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        assert max(map(cell_len, reader.rows)) <= 58 and "\x1b" not in "".join(reader.rows)
        reader.find(None)
        assert reader.matches == (0, 0)


async def test_columns_are_level_after_a_long_equal_stretch() -> None:
    same = "these words are the very same on either side of it"
    app = Shown()
    async with app.run_test(size=(60, 20)) as pilot:
        view = app.query_one(SideBySide)
        view.show(word_diff(f"short {same} end", f"{'a much longer beginning than that ' * 5}{same} other"))
        await pilot.pause()
        level = [
            (left, right) for left, right in view.rows if left.startswith("these words") or right.startswith("these words")
        ]
        assert len(level) == 1 and level[0][0] == level[0][1]
        view.scroll_to(y=0, animate=False)
        assert not view.change(-1)


class Typing(App[None]):
    """A field that begins with text from anywhere."""

    def compose(self) -> ComposeResult:
        yield Field("a\x1b(0\x8d\u2069\t⚠️b")


async def test_a_field_draws_what_it_holds_safely_and_keeps_it() -> None:
    app = Typing()
    async with app.run_test(size=(40, 5)):
        field = app.query_one(Field)
        drawn = "".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "a␛(0�� ⚠�b" in drawn
        assert field.value == "a\x1b(0\x8d\u2069\t⚠️b"


@pytest.mark.parametrize(
    ("done", "total", "shown"),
    [(6, 12, "█▌  6/12"), (40, 40, "███ 40/40"), (124, 124, "██ 124/124"), (1024, 1024, "1024/1024"), (3, None, "3")],
)
def test_a_bar_gives_way_to_its_count(done: int, total: int | None, shown: str) -> None:
    assert progress(done, total, 10).plain == shown
