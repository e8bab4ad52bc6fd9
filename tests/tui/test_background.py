"""What a thread found out too late is dropped: the screen that asked may be gone, or losing its widgets."""

from __future__ import annotations

import asyncio
from threading import Event

from textual import work
from textual.app import App, ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.background import hand_back


class Asking(ModalScreen[None]):
    """Asks a thread, whose answer waits for the test."""

    def __init__(self) -> None:
        super().__init__()
        self.answer, self.answered, self.told = Event(), Event(), 0

    def compose(self) -> ComposeResult:
        yield Static(id="told")

    def on_mount(self) -> None:
        self._ask()

    @work(thread=True)
    def _ask(self) -> None:
        self.answer.wait(30)
        hand_back(self, self._tell)
        self.answered.set()

    def _tell(self) -> None:
        self.query_one("#told", Static).update("told")
        self.told += 1


async def answered(screen: Asking) -> None:
    screen.answer.set()
    assert await asyncio.to_thread(screen.answered.wait, 30)


async def test_a_screen_that_stands_is_told() -> None:
    app, screen = App[None](), Asking()
    async with app.run_test():
        await app.push_screen(screen)
        await answered(screen)
        assert screen.told == 1


async def test_a_screen_that_was_left_is_not_told() -> None:
    app, screen = App[None](), Asking()
    async with app.run_test():
        await app.push_screen(screen)
        await screen.dismiss()
        await answered(screen)
        assert not screen.told


async def test_a_screen_that_is_losing_its_widgets_is_not_told() -> None:
    app, screen = App[None](), Asking()
    async with app.run_test():
        await app.push_screen(screen)
        await screen.query_one("#told").remove()
        app._running = False  # as in the middle of the app's own shutdown
        await answered(screen)
        app._running = True
        assert not screen.told
