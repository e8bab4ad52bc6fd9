"""The app in a pseudo-terminal of its own."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

QUIT = b"\x11"
QUIT_S = 300.0


class Terminal:
    """The app, or a command, in a pseudo-terminal, and every byte that it has written."""

    def __init__(self, path: Path, columns: int = 120, lines: int = 40, arguments: Sequence[str] = ()) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (lines, columns))
        home = {"XDG_STATE_HOME": str(path.parent / "state"), "XDG_CONFIG_HOME": str(path.parent / "config")}
        environment = {**os.environ, **home, "TERM": "xterm-256color", "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-m", "tui.entry", *arguments, "--db", str(path)]
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)
        self.raw = b""

    def read(self, quiet_s: float, at_most_s: float = 30.0, want: bytes = b"") -> None:
        """Read until nothing has come for `quiet_s`, and `want` has."""
        until = time.monotonic() + at_most_s
        while time.monotonic() < until:
            ready, _, _ = select.select([self._ours], [], [], quiet_s)
            if ready:
                try:
                    self.raw += os.read(self._ours, 65536)
                except OSError:
                    return
            elif want in self.raw:
                return

    def press(self, key: bytes, quiet_s: float) -> None:
        """Press a key and read what comes of it."""
        with contextlib.suppress(OSError):
            os.write(self._ours, key)
        self.read(quiet_s, 5.0)

    def quit(self) -> int:
        """Leave the app. Returns its exit code."""
        until = time.monotonic() + QUIT_S
        try:
            while self.process.poll() is None and time.monotonic() < until:
                for key in (b"\x1b", QUIT):  # apart, since together they are another key
                    self.press(key, 1.0)
            return self.process.wait(1)
        finally:
            self.process.send_signal(signal.SIGKILL) if self.process.poll() is None else None
            self.hang_up()

    def hang_up(self) -> None:
        """Close our end, as a lost line does."""
        with contextlib.suppress(OSError):
            os.close(self._ours)
