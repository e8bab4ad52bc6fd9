"""A verbatim loop is shown once and counted, wherever the stream is cut."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from core.collapse import Detector
from core.store.snapshot import Loop
from tui.widgets.folding import Fold
from tui.widgets.stream import StreamView

START = "He thinks about it.\t"
UNIT = "So the answer is (B). [/x]\n"


def loop_of(text: str) -> Loop:
    """What the detector says of a text."""
    detector = Detector()
    detector.feed(text)
    detector.finish()
    v = detector.verdict
    assert v.onset is not None and v.position is not None and v.period is not None
    return Loop(v.rule, v.onset, v.position, v.period, v.unit or "", v.count or 0, False)


@given(rounds=st.integers(60, 300), cut=st.integers(1, 40), end=st.sampled_from(["", "Wait, no.", "So the answer"]))
def test_rounds_are_counted_and_what_follows_is_kept(rounds: int, cut: int, end: str) -> None:
    text = START + UNIT * rounds
    loop = loop_of(text)
    fold, rest = Fold(), ""
    fold.read(text[: loop.position])
    fold.enter(loop)
    tail = text[loop.position :] + end
    for at in range(0, len(tail), cut):
        rest += tail[at : at + cut] if rest else fold.rest(tail[at : at + cut])
    assert fold.rounds in (rounds, rounds - 1)
    assert rest in end and (rest or UNIT.startswith(end))


class One(App[None]):
    def compose(self) -> ComposeResult:
        yield StreamView()


async def test_the_loop_stands_once_with_its_count_and_the_text_goes_on_after_it() -> None:
    draw, text = random.Random(1), START + UNIT * 200
    app = One()
    async with app.run_test(size=(60, 20)) as pilot:
        view = app.query_one(StreamView)
        view.start()
        view.loop(loop_of(text))
        at = 0
        while at < len(text):
            size = draw.randint(1, 90)
            view.append(text[at : at + size])
            at += size
        shown = "\n".join(view.rows)
        assert "LOOP (verbatim) from character 20: 27 characters" in shown
        assert "× 200 rounds" in shown
        assert shown.count(UNIT.strip()) < 50
        view.append("But wait.")
        assert view.rows[-1] == "But wait." and "── the loop has ended ──" in view.rows
        await pilot.resize_terminal(30, 20)
        await pilot.pause()
        assert "× 200 rounds" in view.rows


async def test_a_loop_that_is_seen_late_is_marked_where_the_text_stands() -> None:
    text = START + UNIT * 200
    app = One()
    async with app.run_test(size=(60, 20)):
        view = app.query_one(StreamView)
        view.start()
        view.append(text)
        view.loop(loop_of(text))
        view.loop(loop_of(text))
        view.append(UNIT * 3)
        assert sum("LOOP" in row for row in view.rows) == 1
        assert "× 203 rounds" in view.rows
