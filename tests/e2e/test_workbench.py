"""The workbench in a real terminal, with a real run: from an empty folder to a score, by keys alone."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pyte
import pytest

from core.runner.client import status, stop_runner
from tests.helpers.waiting import until
from tests.speed.terminal import Terminal

SIZE = (100, 30)


class Screen:
    """What stands in a terminal, by a terminal emulator."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._screen = pyte.Screen(*SIZE)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def text(self) -> str:
        """All lines, as they are now."""
        self._terminal.read(0.2)
        self._stream.feed(self._terminal.taken())
        return "\n".join(self._screen.display)

    def wait_for(self, *words: str) -> None:
        """Until all of these are to be seen."""
        deadline = time.monotonic() + 120
        while missing := [word for word in words if word not in self.text]:
            assert time.monotonic() < deadline, f"{missing} are not in\n{self.text}"

    def sees(self, word: str, seconds: float) -> bool:
        """Whether this is to be seen before so long."""
        deadline = time.monotonic() + seconds
        while word not in self.text and time.monotonic() < deadline:
            pass
        return word in self.text

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self._terminal.write(key.encode())
            self._terminal.read(0.1)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a store will be."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "runs.db"


def test_a_first_run_by_keys_alone(store: Path) -> None:
    command = [sys.executable, "-P", "-m", "tui.entry", "--db", str(store)]
    try:
        with Terminal(command, SIZE) as terminal:
            screen = Screen(terminal)
            screen.wait_for("There is no store yet", "Press n")
            screen.press("n")
            screen.wait_for("pocket-temporal", "1 run of 1 variant, 40 questions")
            screen.press(*["\t"] * 12)
            while not screen.sees("1 run of 1 variant, 6 questions", 10):  # keys typed ahead of a slow Tab go astray
                screen.press(*["\x7f"] * 4, "6")
            screen.press("\x13")
            screen.wait_for("runner: serving", "pocket none")
            screen.press("2")
            screen.wait_for("tokens/s", "pocket-temporal")
            screen.press("1")
            screen.wait_for("6/6")
            screen.press("j")
            screen.wait_for("job 2: pocket none on pocket-temporal")
            screen.press("d")
            screen.wait_for("1 run of 1 variant, 6 questions · about", "past run", "fits, ")
            screen.press("\x1b")
            screen.wait_for("Progress")
            screen.press("3")
            screen.wait_for("pocket none")
            os.kill(int(status(store).pid or 0), signal.SIGKILL)  # the supervisor brings it back
            screen.wait_for("runner: serving")
            screen.press("q")
            until(lambda: terminal.read(0.2) or not terminal.alive)
        with Terminal([*command, "--readonly", "--ascii"], SIZE) as terminal:
            screen = Screen(terminal)
            screen.wait_for("read-only", "3 Scores", "pocket none")
            assert screen.text.isascii()
    finally:
        stop_runner(store)
