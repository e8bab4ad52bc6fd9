"""Every pane and every key, driven by the pilot over a real store."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Select, SelectionList, Static

from core.engines.host.wire import Sampling
from core.spec import RunSpec
from core.store.connection import connect
from tests.helpers.tui_rows import add_chunk, alive, sql
from tests.helpers.waiting import eventually
from tui import keys
from tui.app import LrmApp
from tui.dialogs.messages import Confirm, Note
from tui.dialogs.new_run import NewRun
from tui.palette import Palette
from tui.panes.pane import Pane
from tui.widgets.footer import Footer
from tui.widgets.scrolled import Scrolled
from tui.widgets.stream import StreamView
from tui.widgets.table import RowTable

SIZE = (80, 24)


def text_of(app: LrmApp) -> str:
    """What stands on the screen."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def table(app: LrmApp) -> Any:
    return app.query_one(f"#{app.shown}", Pane).table


async def test_queue_shows_jobs_and_hostile_text_is_harmless(store: Path) -> None:
    app = LrmApp(store)
    async with app.run_test(size=SIZE) as pilot:
        await eventually(lambda: table(app).row_count == 5 and table(app).has_focus)
        await pilot.press("down", "down", "down")
        await pilot.pause()
        shown = text_of(app)
        assert "\x1b" not in shown and "\u202e" not in shown
        assert "[/foo]" in shown and "runner: stopped" in shown
        await pilot.press("e")
        assert isinstance(app.screen, Note)
        await eventually(lambda: "Take a smaller model" in text_of(app) and "[/x]." in text_of(app))
        await pilot.press("escape")
        sql(store, "INSERT INTO notices (at, level, message) VALUES (1, 'error', 'KeyError: [/INST] \x1b[2J')")
        await eventually(lambda: "[/INST]" in text_of(app))
        assert "\x1b" not in text_of(app)


async def test_messages_are_harmless_whoever_gives_them(store: Path) -> None:
    app = LrmApp(store)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await eventually(lambda: app.snapshot)
        app.screen.notify("A is \x1b(0[/foo]\x8d.")
        await pilot.pause()
        await eventually(lambda: "A is ␛(0[/foo]�." in text_of(app))
        assert "\x1b" not in text_of(app)


async def test_queue_keys_write_wishes_and_keep_the_cursor(store: Path) -> None:
    app = LrmApp(store)
    async with app.run_test(size=SIZE) as pilot:
        await eventually(lambda: table(app).row_count == 5 and table(app).has_focus)
        await pilot.press("p")
        await eventually(lambda: sql(store, "SELECT wanted FROM jobs WHERE id = 1") == [("pause",)])
        await pilot.press("down", "down", "K")
        await eventually(lambda: app.snapshot and [j.id for j in app.snapshot.jobs][:3] == [1, 3, 2])
        await eventually(lambda: table(app).selected == "3" and table(app).cursor_row == 1)
        await pilot.press("J")
        await eventually(lambda: app.snapshot and [j.id for j in app.snapshot.jobs][:3] == [1, 2, 3])
        await pilot.press("c")
        assert isinstance(app.screen, Confirm)
        await pilot.pause()
        assert "job 3: pocket q8_0" in text_of(app)
        await pilot.press("n")
        assert sql(store, "SELECT state FROM jobs WHERE id = 3") == [("queued",)]
        await pilot.press("c", "y")
        await eventually(lambda: sql(store, "SELECT state FROM jobs WHERE id = 3") == [("cancelled",)])
        await pilot.press("r")
        await eventually(lambda: sql(store, "SELECT state FROM jobs WHERE id = 3") == [("queued",)])


@pytest.mark.parametrize("state", ["running", "queued"])  # a short job may never be seen running
async def test_the_cursor_goes_on_when_the_first_job_is_done(store: Path, state: str) -> None:
    sql(store, f"UPDATE jobs SET state = '{state}' WHERE id = 1")
    app = LrmApp(store)
    async with app.run_test(size=SIZE):
        await eventually(lambda: table(app).row_count == 5 and table(app).has_focus and table(app).selected == "1")
        sql(store, "UPDATE jobs SET state = 'done', finished = 9 WHERE id = 1")
        await eventually(lambda: app.snapshot and app.snapshot.jobs[0].id != 1)

        await eventually(lambda: table(app).selected == "2" and table(app).cursor_row == 0)


async def test_live_follows_the_chosen_stream(store: Path) -> None:
    app = LrmApp(store)
    async with app.run_test(size=SIZE) as pilot:
        await eventually(lambda: table(app).row_count == 5 and table(app).has_focus)
        await pilot.press("enter")
        assert app.shown == "live"
        stream = app.query_one("#live").query_one(StreamView)
        await eventually(lambda: "stream 11" in " ".join(stream.rows))
        await pilot.press("down")
        await eventually(lambda: "stream 12" in " ".join(stream.rows) and "LOOP" in " ".join(stream.rows))
        connection = connect(store, "user")
        add_chunk(connection, 12, 1, "[/foo][/INST]no loop any more, but the end of thinking </think>done")
        connection.close()
        await eventually(lambda: any(row.endswith("done") for row in stream.rows))
        await pilot.press("f")
        assert not stream.follow
        await pilot.press("]", "[", "f")
        assert stream.follow


async def test_scores_and_lengths_come_from_the_analysis(store: Path) -> None:
    app = LrmApp(store)
    async with app.run_test(size=SIZE) as pilot:
        await eventually(lambda: app.snapshot)
        await pilot.press("3")
        await eventually(lambda: table(app).row_count >= 1)
        await eventually(lambda: "25.0" in text_of(app))
        await pilot.press("4")
        await eventually(lambda: table(app).row_count >= 1)
        assert "30 %" in text_of(app)
        await pilot.press("t")
        await eventually(lambda: "20 %" in text_of(app))


async def form_of(app: LrmApp, pilot: Any) -> NewRun:
    """The open form, once it knows what there is to choose."""
    await eventually(lambda: isinstance(app.screen, NewRun))
    form = app.screen
    assert isinstance(form, NewRun)
    await eventually(lambda: form.query_one("#benchmarks", SelectionList).option_count >= 8)
    return form


async def test_a_palette_that_fills_while_it_is_taken_away_brings_nobody_down(store: Path) -> None:
    app = LrmApp(store)
    async with app.run_test(size=SIZE) as pilot:
        await eventually(lambda: app.snapshot)
        await pilot.press("ctrl+p")
        await eventually(lambda: isinstance(app.screen, Palette))
        palette = app.screen
        assert isinstance(palette, Palette)
        palette.dismiss(None)
        while palette.is_attached:
            palette._list_visible = not palette._list_visible
            palette._show_busy = not palette._show_busy
            palette._gather_commands("")
            await asyncio.sleep(0)


async def test_form_says_what_runs_take_and_keeps_what_was_typed_on_an_error(store: Path) -> None:
    app = LrmApp(store)
    async with app.run_test(size=SIZE) as pilot:
        await eventually(lambda: app.snapshot)
        await pilot.press("n")
        form = await form_of(app, pilot)
        await eventually(lambda: "1 run of 1 variant, 1,000 questions" in text_of(app) and "fits, " in text_of(app))
        form.query_one("#limit", Input).value = "20"
        form.query_one("#compressions", SelectionList).select("q4_0")
        await eventually(lambda: "2 runs of 2 variants, 40 questions" in text_of(app))
        form.query_one("#more-models", Input).value = "no-such [/model]"
        form.query_one("#temperature", Input).value = "warm"
        await eventually(lambda: "no-such [/model]" in str(form.query_one("#wrong-models", Static).render()))
        await eventually(lambda: "'warm' is no number" in text_of(app))
        await pilot.press("ctrl+s")
        await pilot.pause(0.5)
        assert form.query_one("#more-models", Input).value == "no-such [/model]" and app.screen is form
        await pilot.press("f1")
        assert isinstance(app.screen, Note)
        await pilot.press("escape", "escape")
        assert sql(store, "SELECT count(*) FROM jobs") == [(5,)]


async def test_form_switches_thinking_and_says_what_it_does(store: Path) -> None:
    app = LrmApp(store)
    async with app.run_test(size=SIZE) as pilot:
        await eventually(lambda: app.snapshot)
        await pilot.press("n")
        form = await form_of(app, pilot)
        await eventually(lambda: "pocket: thinking opened." in text_of(app))
        form.query_one("#thinking", Select).value = "off"
        form.query_one("#effort", Select).value = "low"
        await eventually(lambda: "cannot switch its thinking" in text_of(app))
        draft = form.draft()
        assert (draft.thinking, draft.effort) == ("off", "low")
        form.query_one("#thinking", Select).value = form.query_one("#effort", Select).value = ""
        await eventually(lambda: "cannot switch" not in text_of(app))
        assert (form.draft().thinking, form.draft().effort) == (None, None)


async def test_form_joins_steps_and_fills_in_presets(store: Path) -> None:
    app = LrmApp(store)
    async with app.run_test(size=SIZE) as pilot:
        await eventually(lambda: app.snapshot)
        await pilot.press("n")
        form = await form_of(app, pilot)
        form.query_one("#preset", Select).value = "pocket"
        await eventually(lambda: "60 runs of 15 variants, 2,400 questions" in text_of(app))
        form.query_one("#chain", Select).value = "yes"
        await eventually(lambda: "196 runs of 49 variants" in text_of(app))
        joined = set(form.draft().variants)
        assert {"none", "sparsegpt-10+q8_0", "sparsegpt-80+dynamic-1.58"} < joined and not {"q8_0", "sparsegpt-10"} & joined
        form.query_one("#preset", Select).value = "table-3"
        await eventually(lambda: len(form.draft().compressions) == 8)
        assert form.draft().policy == "observe" and form.draft().benchmarks == ("aime", "folio", "temporal", "musique")


async def test_a_clone_asks_for_the_same_run(store: Path, started: list[Path]) -> None:
    sql(store, """UPDATE jobs SET sampling = '{"temperature": 0.25, "max_tokens": 99}', seed = 7 WHERE id = 2""")
    app = LrmApp(store)
    async with app.run_test(size=SIZE) as pilot:
        await eventually(lambda: table(app).row_count == 5 and table(app).has_focus)
        await pilot.press("down", "d")
        form = await form_of(app, pilot)
        form.query_one("#models", SelectionList).deselect_all()
        form.query_one("#models", SelectionList).select("pocket")
        await eventually(lambda: form.draft().models == ("pocket",))
        await pilot.press("ctrl+s")
        await eventually(lambda: app.screen is not form)
        columns = "benchmark, engine, seed, item_limit, policy"
        copies = sql(store, f"SELECT {columns} FROM jobs WHERE kind = 'run' AND id > 5")
        assert copies == sql(store, f"SELECT {columns} FROM jobs WHERE id = 2")
        assert '"temperature": 0.25' in str(sql(store, "SELECT sampling FROM jobs WHERE id > 5 AND kind = 'run'"))
        assert started == [store]


async def test_form_asks_for_gpus_where_there_are_any(
    store: Path, started: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = LrmApp(store)
    async with app.run_test(size=SIZE) as pilot:
        await eventually(lambda: app.snapshot)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        await pilot.press("n")
        form = await form_of(app, pilot)
        assert "Replicas" not in text_of(app)
        await pilot.press("escape")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
        await pilot.press("n")
        form = await form_of(app, pilot)
        await eventually(lambda: "GPUs" in text_of(app) and "Replicas" in text_of(app))
        form.query_one("#gpus", Input).value = "two"
        await eventually(lambda: "'two' is no number" in text_of(app))
        form.query_one("#gpus", Input).value = "2"
        form.query_one("#replicas", Input).value = "0"
        await eventually(lambda: "0 replicas make no run" in text_of(app))
        form.query_one("#replicas", Input).value = "3"
        await eventually(lambda: "1 run of 1 variant" in text_of(app))
        await pilot.press("ctrl+s")
        await eventually(lambda: app.screen is not form)
        assert sql(store, "SELECT gpus, replicas FROM jobs WHERE kind = 'run' AND id > 5") == [(2, 3)]
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        spec = RunSpec("pocket", "none", "pocket-temporal", "llama.cpp", Sampling(), gpus=2, replicas=3)
        await app.push_screen(NewRun(store, None, spec))
        form = await form_of(app, pilot)
        assert "Replicas" in text_of(app) and (form.draft().gpus, form.draft().replicas) == ("2", "3")


async def test_no_store_then_one_appears(tmp_path: Path, store: Path) -> None:
    later = tmp_path / "later.db"
    app = LrmApp(later)
    async with app.run_test(size=SIZE) as pilot:
        await eventually(lambda: "no store yet" in text_of(app))
        connect(later, "user").close()
        await eventually(lambda: app.snapshot is not None)
        await pilot.press("2", "3", "4", "5", "1")
        await eventually(lambda: "The queue is empty" in text_of(app))


async def test_a_damaged_store_is_told_and_a_newer_one_is_read(store: Path, tmp_path: Path) -> None:
    sql(store, "PRAGMA user_version = 99")
    app = LrmApp(store)
    async with app.run_test(size=SIZE):
        await eventually(lambda: table(app).row_count == 5 and table(app).has_focus)
    bad = tmp_path / "bad.db"
    bad.write_bytes(b"no database at all" * 400)
    app = LrmApp(bad)
    async with app.run_test(size=SIZE):
        await eventually(lambda: "is damaged" in app._trouble and "bad.db" in text_of(app))


async def test_the_header_knows_the_runner(store: Path) -> None:
    alive(store)
    app = LrmApp(store)
    async with app.run_test(size=(120, 40)):
        await eventually(lambda: "runner: serving (42)" in text_of(app))
        assert app.check_action("start_runner", ()) is False


@pytest.mark.parametrize(("width", "shown"), [(70, "serving · 1 running"), (40, "…")])
async def test_the_header_never_pushes_the_panes_away(store: Path, width: int, shown: str) -> None:
    alive(store)
    app = LrmApp(store)
    async with app.run_test(size=(width, 24)):
        await eventually(lambda: shown in text_of(app).splitlines()[0])
        assert text_of(app).splitlines()[1].startswith(" 1 Queue   2 Live")


async def test_panes_that_come_back_stand_as_they_were_left(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    rebuild = RowTable._rebuild
    monkeypatch.setattr(RowTable, "_rebuild", lambda self, fitted: (built.append(self.id), rebuild(self, fitted)))
    for number in range(13, 43):
        sql(store, "INSERT INTO items VALUES (?, 'pocket-temporal', ?, 'r', '{}', '[]')", number, f"q{number}")
        sql(
            store,
            "INSERT INTO responses (id, job_id, item_id, position, seed, state) VALUES (?, 1, ?, 0, 1, 'active')",
            *(number, number),
        )
    app = LrmApp(store)
    async with app.run_test(size=SIZE) as pilot:
        await eventually(lambda: table(app).row_count == 5)
        await pilot.press("2", *["down"] * 3)
        await eventually(lambda: table(app).row_count == 32)
        await pilot.press("1")
        await pilot.pause()
        assert "jobs" in built
        built.clear()
        await pilot.press("2")
        await pilot.pause()
        assert table(app).selected == "14" and table(app).scroll_offset.y == 0
        await pilot.press("1")
        await pilot.pause()
        assert not built


async def test_full_collections_of_garbage_have_a_time_of_their_own(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, full = gc.get_threshold(), []
    monkeypatch.setattr("tui.app.FULL_COLLECTION_S", 0.1)
    gc.callbacks.append(seen := lambda phase, info: full.append(phase) if info["generation"] == 2 else None)
    gc.disable()
    try:
        async with LrmApp(store).run_test(size=SIZE):
            await eventually(lambda: gc.isenabled() and len(full) >= 4)
            assert gc.get_freeze_count() and gc.get_threshold()[:2] == before[:2]
    finally:
        gc.callbacks.remove(seen)
        gc.set_threshold(*before)
        gc.enable()
        gc.unfreeze()


async def test_help_names_every_key_and_read_only_offers_no_wishes(store: Path) -> None:
    app = LrmApp(store, readonly=True)
    async with app.run_test(size=SIZE) as pilot:
        await eventually(lambda: table(app).row_count == 5 and table(app).has_focus)
        await pilot.press("n", "p")
        assert not isinstance(app.screen, NewRun)
        await pilot.press("question_mark")
        body = app.screen.query_one(Scrolled).text.plain
        assert all(key.description in body for pane in (*keys.PANES, "app") for key in keys.of(pane))
        await pilot.press("escape", "q")
    assert sql(store, "SELECT wanted FROM jobs WHERE id = 1") == [(None,)]


@pytest.mark.parametrize("pane", keys.PANES)
async def test_nothing_is_wider_than_the_screen(store: Path, pane: str) -> None:
    app = LrmApp(store)
    async with app.run_test(size=SIZE) as pilot:
        await eventually(lambda: app.snapshot)
        await pilot.press(str(keys.PANES.index(pane) + 1))
        await eventually(lambda: table(app).row_count)
        assert table(app).virtual_size.width <= 80


def test_the_first_paint_imports_nothing_heavy(store: Path) -> None:
    program = """
import asyncio, sys
from pathlib import Path
from tui.app import LrmApp
async def main():
    async with LrmApp(Path(sys.argv[1])).run_test() as pilot:
        await pilot.pause(1)
asyncio.run(main())
print([m for m in ("pandas", "numpy", "torch", "sqlite_utils", "datasets", "transformers") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program, str(store)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_the_footer_follows_the_focus_and_its_keys_can_be_clicked(store: Path) -> None:
    def footer() -> str:
        return text_of(app).rsplit("\n", 1)[-1]

    app = LrmApp(store)
    async with app.run_test(size=(120, 24)) as pilot:
        await eventually(lambda: "Clone" in footer() and "Start" in footer())
        await pilot.click(Footer, offset=(footer().index("Help"), 0))
        await eventually(lambda: isinstance(app.screen, Note))
        await pilot.press("escape", "3")
        await eventually(lambda: "Clone" not in footer())
        await pilot.click(Footer, offset=(118, 0))
        assert app.shown == "scores" and len(app.screen_stack) == 1
        await pilot.press("1")
        await eventually(lambda: "Clone" in footer())
