"""Every key of every pane on every kind of job: the app lives, and what an action refuses names a remedy that is not refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.screen import ModalScreen

from core.errors import UsageError
from core.jobs import queue
from core.store.connection import opened
from tests.helpers.book import Book, graded, stopped
from tests.helpers.tui_rows import add_chunk
from tests.helpers.waiting import eventually
from tui import keys
from tui.app import LrmApp
from tui.panes.pane import Pane

LONG = " ".join(f"word{number % 977}" for number in range(40_000))
KINDS = {
    "imported": ("done", "imported"),
    "replayed": ("done", "replay"),
    "server": ("done", "openai"),
    "done": ("done", "llama.cpp"),
    "failed": ("failed", "llama.cpp"),
    "cancelled": ("cancelled", "llama.cpp"),
    "paused": ("paused", "llama.cpp"),
    "queued": ("queued", "llama.cpp"),
    "running": ("running", "llama.cpp"),
}
JOBS = {kind: number for number, kind in enumerate(KINDS, 1)}
LEAVES = ("quit", "quit_now")
SPELLED = {"?": "question_mark", "!": "exclamation_mark", "[": "left_square_bracket", "]": "right_square_bracket"}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """One job of each kind, of the embedded model; with equal texts of 40,000 words, a loop, an empty text."""
    book = Book(tmp_path / "runs.db")
    variants = [book.variant(c) for c in ("none", "q4_0", "q8_0")]
    book.writer.execute("UPDATE models SET source = 'pocket', format = 'hf'")
    for number, (state, engine) in enumerate(KINDS.values()):
        responses = [
            *graded(1, text=LONG if number < 2 else "Short. The answer is (A).", words=40_000),
            {**stopped(), "started": 1.0, "finished": 2.0},
            *graded(0, text=""),
            *([{"state": "active", "token_limit": 99}] if state == "running" else []),
        ]
        facts = {"finished": 2.0} if state in ("done", "failed", "cancelled") else {}
        job = book.run(
            variants[number % 3], "pocket-temporal", responses, state=state, engine=engine, position=float(number), **facts
        )
        if state == "failed":
            book.writer.execute("UPDATE jobs SET error = 'Out of [/memory]', remedy = 'Take less.' WHERE id = ?", (job,))
        for row in book.writer.execute("SELECT id FROM responses WHERE job_id = ? AND state = 'active'", (job,)).fetchall():
            add_chunk(book.writer, row["id"], 0, "so far so good ")
    return book.path


def presses(screen: str) -> list[str]:
    """Each key of a screen and of the app once, except those that leave it."""
    names = [key.key.split(",")[0] for key in (*keys.of(screen), *keys.of("app")) if key.id.partition(".")[2] not in LEAVES]
    return [SPELLED.get(name, name) for name in names]


async def back(app: LrmApp, pilot: Pilot[None], screen: str) -> None:
    """Close what a key has opened, and show the pane again."""
    for _ in range(6):
        await pilot.pause()
        if not isinstance(app.screen, ModalScreen):
            break
        await pilot.press("escape")
    assert len(app.screen_stack) == 1
    if app.focused is not None and app.focused.id in ("stream-search", "responses-filter", "report-filter"):
        await pilot.press("escape")
    await pilot.press(str(keys.PANES.index(screen) + 1))


@pytest.mark.parametrize("every", [pytest.param(True, marks=pytest.mark.long, id="every row"), pytest.param(False, id="a row")])
@pytest.mark.parametrize(
    ("screen", "size"), [*((screen, (80, 24)) for screen in keys.PANES), ("scores", (120, 40)), ("responses", (120, 40))]
)
async def test_no_key_ends_the_app(store: Path, screen: str, size: tuple[int, int], every: bool) -> None:
    app = LrmApp(store)
    async with app.run_test(size=size) as pilot:
        await eventually(lambda: app.query_one("#queue", Pane).table.row_count == len(KINDS))
        await pilot.press(str(keys.PANES.index(screen) + 1))
        pane = app.query_one(f"#{screen}", Pane)
        await eventually(lambda: pane.table.row_count)
        count = pane.table.row_count
        each = range(0, count, max(1, count // len(KINDS)))  # a row of each kind of job
        for place in each if every or screen == "queue" else [0]:
            for key in presses(screen)[1 : len(keys.of(screen))] if place else presses(screen):  # not `n` again
                await pilot.press("home", *["down"] * place)
                await pilot.press(key)
                await back(app, pilot, screen)
        assert app.is_running and app.return_code is None


async def choose(app: LrmApp, pilot: Pilot[None], kind: str) -> None:
    """Put the queue's cursor on the job of a kind."""
    table = app.query_one("#queue", Pane).table
    await eventually(lambda: table.row_count == len(KINDS) and table.has_focus)
    table.select(str(JOBS[kind]))
    await pilot.pause()
    assert table.selected == str(JOBS[kind])


@pytest.mark.parametrize("kind", KINDS)
async def test_the_form_opens_for_a_run_and_is_refused_for_an_import(store: Path, kind: str) -> None:
    app = LrmApp(store)
    async with app.run_test(size=(80, 24)) as pilot:
        await choose(app, pilot, kind)
        await pilot.press("d")
        await eventually(lambda: isinstance(app.screen, ModalScreen) or app._notifications)
        refused = [n.message for n in app._notifications]
        assert bool(refused) is (kind == "imported") and isinstance(app.screen, ModalScreen) is (kind != "imported")
        assert not refused or "no run to repeat" in refused[0]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_question_is_asked_only_where_the_answer_is_taken(store: Path, kind: str) -> None:
    app = LrmApp(store)
    async with app.run_test(size=(80, 24)) as pilot:
        await choose(app, pilot, kind)
        await pilot.press("c")
        await eventually(lambda: isinstance(app.screen, ModalScreen) or app._notifications)
        asked = isinstance(app.screen, ModalScreen)
        assert asked is (kind in ("paused", "queued", "running"))


@pytest.mark.parametrize("action", [queue.cancel, queue.pause, queue.requeue], ids=lambda action: action.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_names_what_is_not_refused(store: Path, kind: str, action: object) -> None:
    job = JOBS[kind]
    remedies = {"Requeue": queue.requeue, "Clone": queue.spec_of, "cancel or pause": queue.cancel}

    def tried(step: object) -> str:
        with opened(store, "user") as connection:
            try:
                step(connection, job)  # type: ignore[operator]
            except UsageError as error:
                return str(error)
        return ""

    refusal = tried(action)
    for words, step in remedies.items():
        if words in refusal:
            assert not tried(step), refusal


def test_a_cancelled_job_is_not_paused_instead(store: Path) -> None:
    with opened(store, "user") as connection:
        queue.cancel(connection, JOBS["running"])
        with pytest.raises(UsageError, match="being cancelled"):
            queue.pause(connection, JOBS["running"])
        assert connection.execute("SELECT wanted FROM jobs WHERE id = ?", (JOBS["running"],)).fetchone()[0] == "cancel"
