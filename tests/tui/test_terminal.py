"""ASCII keeps every cell; what is remembered survives, and what cannot be read is forgotten; the finder and the offer."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.helpers.tui_rows import alive, sql
from tests.helpers.waiting import eventually
from tui import keys
from tui.app import LrmApp
from tui.memory import Memory
from tui.panes.pane import Pane
from tui.terminal import Look, as_ascii


@given(st.text(st.characters(exclude_categories=("Cc", "Cs"))))
def test_ascii_takes_as_many_cells(text: str) -> None:
    plain = as_ascii(text)
    assert plain.isascii()
    assert cell_len(plain) == sum(cell_len(character) for character in text)


def test_ascii_keeps_lines_and_levels_apart() -> None:
    assert as_ascii("─│┼ ▁▂▃▄▅▆▇█ ×") == "-|+ _.-=+*%# x"


def test_memory_keeps_stores_apart_and_forgets_damage(tmp_path: Path) -> None:
    file = tmp_path / "state" / "screen.json"
    one, two = Memory(file, Path("/a.db")), Memory(file, Path("/b.db"))
    assert one.recall() == {}
    one.save({"pane": "live"})
    two.save({"pane": "scores"})
    assert one.recall() == {"pane": "live"} and two.recall() == {"pane": "scores"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for n in range(60):
        Memory(file, Path(f"/{n}.db")).save({"n": n})
    assert one.recall() == {} and len(json.loads(file.read_text())) == 50
    file.write_text("no JSON")
    assert one.recall() == {}
    Memory(Path("/proc/no/such.json"), Path("/a.db")).save({})


async def test_the_screen_comes_back_as_it_was(store: Path, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "screen.json", store)
    app = LrmApp(store, memory=memory)
    async with app.run_test(size=(80, 24)) as pilot:
        await eventually(lambda: app.query_one("#queue", Pane).table.row_count == 5)
        await pilot.press("down", "down", "3")
        app.theme = "nord"
        await pilot.press("q")
    again = LrmApp(store, memory=memory)
    async with again.run_test(size=(80, 24)) as pilot:
        assert again.shown == "scores" and again.theme == "nord"
        await pilot.press("1")
        await eventually(lambda: again.query_one("#queue", Pane).table.selected == "3")


@pytest.mark.parametrize("kept", [None, [], {"pane": 7, "theme": "none", "queue": {"row": 3}, "live": []}, {"queue": "x"}])
async def test_whatever_is_remembered_the_screen_opens(store: Path, tmp_path: Path, kept: object) -> None:
    file = tmp_path / "screen.json"
    file.write_text(json.dumps({str(store): kept}))
    app = LrmApp(store, memory=Memory(file, store))
    async with app.run_test(size=(80, 24)):
        await eventually(lambda: app.query_one("#queue", Pane).table.row_count == 5)
        assert app.shown == "queue"


async def test_a_lost_runner_is_offered_a_restart_without_taking_the_focus(store: Path, started: list[Path]) -> None:
    alive(store)
    app = LrmApp(store)
    async with app.run_test(size=(80, 24)) as pilot:
        await eventually(lambda: app.query_one("#queue", Pane).table.has_focus and app.snapshot)
        assert not app.query_one("#offer").display
        sql(store, "UPDATE runner SET beat = 1")
        await eventually(lambda: app.query_one("#offer").display)
        shown = str(app.query_one("#offer").render())
        assert "The runner was lost" in shown and "3 jobs wait" in shown and "Press s" in shown
        assert app.query_one("#queue", Pane).table.has_focus
        await pilot.press("s")
        await eventually(lambda: started == [store])


async def test_a_read_only_screen_has_no_key_that_writes(store: Path) -> None:
    app = LrmApp(store, readonly=True, look=Look(slow=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await eventually(lambda: app.query_one("#queue", Pane).table.row_count == 5)
        before = sql(store, "SELECT id, state, wanted, position FROM jobs")
        for screen in keys.PANES:
            await pilot.press(str(keys.PANES.index(screen) + 1))
            pane = app.query_one(f"#{screen}", Pane)
            for key in (*keys.of(screen), *keys.of("app")):
                if key.writes:
                    holder = app if key.screen == "app" else pane
                    assert holder.check_action(key.action.partition("(")[0], ()) is False, key.id
        assert sql(store, "SELECT id, state, wanted, position FROM jobs") == before
