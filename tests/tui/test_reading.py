"""Every key of Scores, Lengths and Responses and of the screens over them, driven by the pilot over imported runs."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Checkbox, Input, RadioButton

from core.store.filters import ResponseFilter
from tests.helpers.book import Book, graded
from tests.helpers.tui_rows import sql
from tests.helpers.waiting import eventually
from tui.app import LrmApp
from tui.dialogs.flips import FlipsScreen
from tui.dialogs.messages import Ask, Note
from tui.dialogs.response import ResponseScreen
from tui.dialogs.review import ReviewScreen
from tui.dialogs.variants import VariantsScreen
from tui.panes import responses as responses_pane
from tui.panes.lengths import LengthsPane
from tui.panes.report import ReportPane
from tui.panes.responses import ResponsesPane
from tui.panes.scores import ScoresPane
from tui.widgets.reader import Reader
from tui.widgets.side_by_side import SideBySide

SIZE = (80, 24)
EVERY = 73
PER_RUN = 6


def text_of(app: LrmApp) -> str:
    """What stands on the screen."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def see(app: LrmApp, *words: str) -> None:
    """Wait until all of this stands on the screen."""
    await eventually(lambda: all(word in " ".join(text_of(app).split()) for word in words), 120)


async def at_responses(app: LrmApp, pilot: Pilot[None]) -> ResponsesPane:
    """The pane, with its first window."""
    await eventually(lambda: app.snapshot, 120)
    await pilot.press("5")
    await see(app, f"{EVERY} responses")
    return app.query_one(ResponsesPane)


async def at_view(app: LrmApp, pilot: Pilot[None], pane: str, view: str) -> ReportPane:
    """A pane at a view that has been computed."""
    await eventually(lambda: app.snapshot, 120)
    await pilot.press(pane)
    found = app.query_one(f"#{app.shown}", ReportPane)
    while found.view.name != view:
        await pilot.press("v")
    await eventually(lambda: found.records, 120)
    await pilot.pause()
    return found


async def test_the_list_filters_orders_and_searches(library: Path) -> None:
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        pane = await at_responses(app, pilot)
        for key, verdict, count in (
            ("f", "correct", None),
            ("f", "wrong", None),
            ("f", "unparsed", 9),
            ("f", "looped", 4),
            ("f", "reviewed", 2),
            ("F", "looped", 4),
        ):
            await pilot.press(key)
            assert pane.filter.verdict == verdict
            await see(app, f"{count} responses" if count else verdict)
        await pilot.press("a")
        await see(app, f"{EVERY} responses")
        for order in ("oldest", "longest", "shortest", "newest"):
            await pilot.press("o")
            assert pane.filter.order == order
        await see(app, "newest first")
        await pilot.press("slash", *"zebras w", "backspace", *"words:>200")
        await eventually(lambda: pane.filter == ResponseFilter(search="zebras", min_words=200), 120)
        await see(app, "Found", "«zebras»")
        await pilot.press("enter")
        assert pane.table.has_focus
        await pilot.press("slash", *" job:x")
        await see(app, "no whole number")
        await pilot.press("escape")
        await eventually(lambda: pane.filter == ResponseFilter(search="zebras", min_words=200), 120)
        await pilot.press("slash", *" nowhere", "enter")
        await see(app, "No response passes this filter")
        await pilot.press("a")
        await see(app, f"{EVERY} responses")


async def test_a_question_whose_answer_has_just_come_is_not_broken_off(library: Path) -> None:
    """Its thread closes the connection before it says that it reads no more."""
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        pane = await at_responses(app, pilot)
        closed = sqlite3.connect(":memory:")
        closed.close()
        pane._reading = closed
        await pilot.press("o")
        await eventually(lambda: not pane._loading)


async def test_the_list_has_no_end_but_its_own(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses_pane, "PAGE", 10)
    monkeypatch.setattr(responses_pane, "WINDOW", 30)
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        pane = await at_responses(app, pilot)
        seen = [pane.table.selected]
        while seen[-1] != "1":
            await pilot.press("down")
            await eventually(lambda: pane.table.selected != seen[-1], 120)
            seen.append(pane.table.selected)
            assert len(pane._rows) <= 30
        assert seen == [str(number) for number in range(EVERY, 0, -1)]
        await pilot.press("down", "up")
        assert pane.table.selected == "2"
        for key, row in (("g", EVERY), ("G", 1), ("home", EVERY), ("end", 1), ("[", None), ("]", None), ("g", EVERY)):
            await pilot.press(key)
            if row is not None:
                await eventually(lambda row=row: pane.table.selected == str(row), 120)
        for number in range(EVERY, EVERY - 25, -1):
            await eventually(lambda number=number: pane.table.selected == str(number), 120)
            await pilot.press("j")
        for _ in range(25):
            await pilot.press("k")
        await eventually(lambda: pane.table.selected == str(EVERY), 120)


async def test_one_response_is_read_searched_and_left(library: Path) -> None:
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        pane = await at_responses(app, pilot)
        await pilot.press("slash", *"looped", "enter")
        await eventually(lambda: pane.filter.verdict == "looped" and len(pane._rows) == 4, 120)
        await pilot.press("enter")
        screen = app.screen
        assert isinstance(screen, ResponseScreen)
        reader = screen.query_one(Reader)
        await see(app, "Verdict", "unparsed")
        for key, head in (("p", "Question"), ("t", "Thinking"), ("a", "Answer part"), ("l", "LOOP")):
            await pilot.press(key)
            await pilot.pause()
            top = reader.rows[reader.scroll_offset.y] if reader.scroll_offset.y < reader.max_scroll_y else "".join(reader.rows)
            assert head in top
        folded = len(reader.rows)
        await pilot.press("z")
        await eventually(lambda: len(reader.rows) > folded + 40, 120)
        await pilot.press("z", "slash", *"follows", "enter")
        await see(app, "match 1 of")
        await pilot.press("n")
        await see(app, "match 2 of")
        await pilot.press("N")
        await see(app, "match 1 of")
        first = screen.response
        await pilot.press("]")
        await eventually(lambda: screen.response < first, 120)
        await pilot.press("[")
        await eventually(lambda: screen.response == first, 120)
        await pilot.press("[")
        await see(app, "This is the first one.")
        await pilot.press("y")
        await see(app, "characters copied")
        await pilot.press("question_mark")
        assert isinstance(app.screen, Note)
        await pilot.press("escape", "escape")
        assert app.shown == "responses" and not isinstance(app.screen, ResponseScreen)
        assert pane.table.selected == str(first)


async def test_hostile_text_is_drawn_harmless(library: Path) -> None:
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await at_responses(app, pilot)
        await pilot.press("enter")
        await see(app, "[/foo]", "[/x]")
        await pilot.press("v")
        await see(app, "[/foo]")
        assert not {"\x1b", "\u202e", "\x07"} & set(text_of(app))


async def test_a_response_is_judged_by_hand(library: Path) -> None:
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await at_responses(app, pilot)
        await pilot.press("slash", *"reviewed oldest", "enter")
        await see(app, "2 responses")
        await pilot.press("m")
        screen = app.screen
        assert isinstance(screen, ReviewScreen)
        await eventually(lambda: screen.query_one(Input).value == "guessed [/x]", 120)
        assert screen.query(RadioButton)[2].value and not screen.query_one(Checkbox).value
        await pilot.press("escape")
        assert sql(library, "SELECT count(*) FROM reviews") == [(2,)]
        await pilot.press("m")
        await eventually(lambda: app.screen.query_one(Input).value == "guessed [/x]", 120)
        await pilot.press("up", "enter", "tab", "space", "tab", *" no", "ctrl+s")
        await eventually(lambda: sql(library, "SELECT hand, flagged FROM responses WHERE id = 3") == [(1, 1)], 120)
        assert sql(library, "SELECT note FROM reviews ORDER BY id DESC LIMIT 1") == [("guessed [/x] no",)]
        await see(app, "✓h!")


async def test_read_only_offers_no_verdicts(library: Path) -> None:
    app = LrmApp(library, readonly=True)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await at_responses(app, pilot)
        await pilot.press("m")
        assert not isinstance(app.screen, ReviewScreen)
        await pilot.press("enter", "m", "v", "m")
        assert isinstance(app.screen, VariantsScreen)


async def test_variants_stand_side_by_side(library: Path) -> None:
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await at_responses(app, pilot)
        await pilot.press("slash", *"job:1 item:", *item(library, 1), "enter")
        await see(app, "1 responses")
        await pilot.press("v")
        screen = app.screen
        assert isinstance(screen, VariantsScreen)
        diff = screen.query_one(SideBySide)
        await eventually(lambda: diff.rows and len(screen._rows) == 3, 120)
        assert screen.response != 1
        await pilot.press("c", "C", "]", "[", "y")
        await see(app, "characters copied")
        await pilot.press("down")
        await eventually(lambda: screen.response == 49, 120)
        await pilot.press("x")
        await eventually(lambda: screen._left == 49, 120)
        await pilot.press("m")
        assert isinstance(app.screen, ReviewScreen)
        await pilot.press("escape", "question_mark")
        assert isinstance(app.screen, Note)
        await pilot.press("escape", "enter")
        assert isinstance(app.screen, ResponseScreen)
        await see(app, "magnitude-50")
        await pilot.press("escape", "escape")
        assert app.screen is app.screen_stack[0]


def item(store: Path, response: int) -> str:
    """The key of its question."""
    [(key,)] = sql(store, "SELECT i.key FROM items i JOIN responses r ON r.item_id = i.id WHERE r.id = ?", response)
    return str(key)


async def test_scores_are_sorted_filtered_and_followed(library: Path) -> None:
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        pane = await at_view(app, pilot, "3", "Table")
        labels = list(pane._shown)
        assert len(labels) == 4
        await pilot.press("slash", *"tiny", "enter")
        await eventually(lambda: len(pane._shown) == 3, 120)
        await pilot.press("right", "right")
        column = pane.table.selected_column
        assert column == "pocket-temporal"
        for direction in (True, False, None):
            await pilot.press("o")
            assert pane.sorts.get("Table") == (None if direction is None else (column, direction))
        await pilot.press("y")
        await see(app, "characters copied")
        await pilot.press("escape")
        await eventually(lambda: len(pane._shown) == 4, 120)
        await pilot.press("down", "enter")
        assert app.shown == "responses"
        await see(app, f"{PER_RUN} responses", "job:")
        assert app.query_one(ResponsesPane).filter.job in (1, 5, 9)
        await pilot.press("3", "V")
        assert pane.view.name == "Curves"
        await see(app, "sparsity in percent")
        await pilot.press("enter")
        await eventually(lambda: app.shown == "responses", 120)


async def test_two_variants_are_compared_down_to_the_texts(library: Path) -> None:
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        pane = await at_view(app, pilot, "3", "Table")
        assert isinstance(pane, ScoresPane)
        labels = [record["label"] for record in pane._shown.values()]
        await pilot.press(*["down"] * labels.index("tiny none"), "a")
        assert pane.choices.one == "tiny none"
        await pilot.press(*["g"], *["down"] * labels.index("tiny magnitude-50"), "c")
        assert pane.choices.other == "tiny magnitude-50" and pane.view.name == "Compare"
        await eventually(lambda: len(pane.records) == 4, 120)
        await pilot.press("x")
        await eventually(lambda: pane.records and pane.records[0]["a"] == "tiny magnitude-50", 120)
        await pilot.press("x", "]")
        assert pane.choices.other == "tiny q4_0"
        await pilot.press("[")
        await eventually(lambda: pane.records and pane.records[0]["b"] == "tiny magnitude-50", 120)
        await pilot.press("enter")
        screen = app.screen
        assert isinstance(screen, FlipsScreen)
        await eventually(lambda: screen._pairs, 120)
        await pilot.press("question_mark", "escape", "enter")
        assert isinstance(app.screen, VariantsScreen)
        await eventually(lambda: app.screen.query_one(SideBySide).rows, 120)
        await pilot.press("escape", "escape")
        assert app.screen is app.screen_stack[0]


async def test_a_variant_is_recommended_for_a_budget(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.results.tables.recommend.ENOUGH", 6)
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        pane = await at_view(app, pilot, "3", "Recommend")
        await pilot.press("b")
        assert isinstance(app.screen, Ask)
        app.screen.query_one(Input).value = "many"
        await pilot.press("enter")
        await see(app, "is no amount")
        await pilot.press("b")
        app.screen.query_one(Input).value = "1MB"
        await pilot.press("enter")
        await eventually(lambda: pane.records and pane.records[0]["choice"] == "tiny q4_0", 120)
        await pilot.press("w")
        assert pane.choices.knowledge
        await pilot.press("b", "escape", "enter")
        await eventually(lambda: app.shown == "responses", 120)


async def test_published_numbers_stand_there(library: Path) -> None:
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        pane = await at_view(app, pilot, "3", "Published")
        assert any(record["origin"] == "published" for record in pane.records)
        await see(app, "DeepSeek-R1")


async def test_a_distance_from_the_paper_has_its_interval(book: Book) -> None:
    book.run(book.variant("none", model="DeepSeek-R1"), "aime", graded(1, 17) + graded(0, 13), state="done")
    book.run(book.variant("awq-4bit", model="R1-Distill-Llama-8B"), "aime", graded(1, 30), state="done")
    app = LrmApp(book.path)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await at_view(app, pilot, "3", "Published")
        await see(app, "56.7 -16.6~", "aime -16.6 (-40 to +9)", "e: v3 has yours.")
        await at_view(app, pilot, "4", "Published")
        await see(app, "T4 DeepSeek-R1 none", "on aime · shortest -32.2 (")


async def test_the_edition_is_one_choice_of_both_panes(library: Path) -> None:
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        pane = await at_view(app, pilot, "3", "Published")
        assert {record["edition"] for record in pane.records if record["origin"] == "published"} == {"v1"}
        await see(app, "distance from v1")
        await pilot.press("e")
        await see(app, "distance from v3")
        await eventually(lambda: any(record.get("edition") == "v3" for record in pane.records), 120)
        lengths = await at_view(app, pilot, "4", "Published")
        await see(app, "Ends of 30 %, distance from v3")
        await pilot.press("e", "e")
        await see(app, "distance from v1")
        await pilot.press("slash", *"qwen sparsegpt-30 musique", "enter")
        await see(app, "27/41", "sparsegpt-30 (Table 4) on musique", "9 right answers at both ends")
        await pilot.press("t")
        await see(app, "Ends of 20 %", "30/37", "sparsegpt-30 (Table 5) on musique")
        assert pane.choices.edition == lengths.choices.edition == "v1"
        await pilot.press("3", "e")
        kept = {one.id: one.remember() for one in app._panes()}
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        for one in app._panes():
            one.restore(kept[one.id])
        assert {one.choices.edition for one in app.query(ReportPane)} == {"v3"}
        again = app.query_one(ScoresPane)
        again.restore({**kept["scores"], "choices": {"edition": "v2"}})
        assert again.choices.edition == "v3", "a file may hold anything"


async def test_the_recorded_study_stands_in_a_view_of_its_own(library: Path) -> None:
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        pane = await at_view(app, pilot, "3", "Recorded")
        printed = [record for record in pane.records if record["origin"] == "recorded"]
        assert {record["model"] for record in printed} == {"pocket", "pocket-student"}
        assert {record["model"] for record in pane.records} > {"pocket", "tiny"}
        await see(app, "p-logic", "study pocket sparsegpt-50", "dim: recorded")


async def test_printed_rows_can_be_told_apart_at_80_columns(library: Path) -> None:
    app = LrmApp(library)
    async with app.run_test(size=(80, 60)) as pilot:
        pane = await at_view(app, pilot, "3", "Published")
        printed = [record for record in pane.records if record["origin"] == "published"]
        await see(app, *(record["compression"] for record in printed))
        width = pane.table.ordered_columns[0].width
        names = {line[:width].strip() for line in text_of(app).splitlines() if line.startswith((" T2 ", " T3 "))}
        assert len(names) == len(printed) > 15


async def test_views_with_nothing_to_show_say_what_to_do_first(library: Path) -> None:
    app = LrmApp(library)
    async with app.run_test(size=SIZE) as pilot:
        pane = await at_view(app, pilot, "3", "Table")
        await pilot.press("v", "v", "v")
        assert pane.view.name == "Compare" and not pane.records
        await see(app, "No two variants are chosen yet.", "press a, then on another and press c")
        await pilot.press("V", "V", "V", "a", "v", "v", "v")
        await see(app, "is A, and nothing is compared with it yet", "] takes the next variant")
        await pilot.press("right_square_bracket")
        await eventually(lambda: pane.records, 120)


async def test_lengths_views_and_keys(library: Path) -> None:
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        pane = await at_view(app, pilot, "4", "Table")
        assert isinstance(pane, LengthsPane)
        await pilot.press("t")
        await see(app, "longest 20 %")
        await pilot.press("slash", *"facts", "enter", "o", "o", "o")
        await eventually(lambda: len(pane._shown) == 3, 120)
        await pilot.press("escape", *["right"] * 4, "enter")
        await see(app, "longest first")
        await pilot.press("4", "c")
        assert pane.view.name == "Collapse"
        await eventually(lambda: pane.records, 120)
        await pilot.press("y", "enter")
        await eventually(lambda: app.query_one(ResponsesPane).filter.verdict == "looped", 120)
        await pilot.press("4", "V")
        assert pane.view.name == "Deciles"
        await see(app, "tenth of length")
        await pilot.press("v", "v")
        assert pane.view.name == "Table"


async def test_what_was_chosen_is_there_on_return_and_on_reopening(library: Path) -> None:
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        pane = await at_view(app, pilot, "4", "Table")
        await pilot.press("t", "right", "o", "slash", *"logic", "enter", "down")
        row = pane.table.cursor_row
        assert row > 0
        responses = await at_responses(app, pilot)
        await pilot.press("slash", *"wrong words:>5 longest", "enter")
        await eventually(lambda: responses.filter.verdict == "wrong", 120)
        await eventually(lambda: responses._rows, 120)
        await pilot.press("down")
        await pilot.press("4")
        assert pane.filter == "logic" and pane.table.cursor_row == row
        kept = {one.id: one.remember() for one in app._panes()}
    app = LrmApp(library)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        for one in app._panes():
            one.restore(kept[one.id])
        again = await at_view(app, pilot, "4", "Table")
        assert again.filter == "logic" and again.choices.share == 20 and again.sorts == pane.sorts
        await pilot.press("5")
        responses = app.query_one(ResponsesPane)
        assert responses.filter == ResponseFilter("wrong", min_words=5, order="longest")
        await eventually(lambda: responses.table.selected == kept["responses"]["row"], 120)


async def test_nothing_there_says_what_to_do(tmp_path: Path) -> None:
    app = LrmApp(tmp_path / "none.db")
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        for pane in ("3", "4", "5"):
            await pilot.press(pane)
            await see(app, "lrm-tui import", "n queues runs")
