"""A program in a pseudo-terminal of a given size, whose output is counted and searched."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from types import TracebackType

KEPT = 200_000


class Terminal:
    """Starts the program on entry and kills it on exit. Nothing is read but by the calls below."""

    def __init__(self, command: list[str], size: tuple[int, int]) -> None:
        self._command, self._size = command, size
        self.received = 0
        self._seen = self._fresh = b""

    def __enter__(self) -> Terminal:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", self._size[1], self._size[0], 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self._process = subprocess.Popen(
            self._command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, env=environment
        )
        os.close(theirs)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    @property
    def pid(self) -> int:
        """The program's process."""
        return self._process.pid

    def write(self, keys: bytes) -> None:
        """Press keys. What was shown before is forgotten, so that `until` finds what they bring."""
        self._seen = b""
        os.write(self._ours, keys)

    def read(self, seconds: float) -> None:
        """Take what comes for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._take(left)

    def until(self, what: bytes, seconds: float = 60.0) -> None:
        """Take what comes until this is among it. Raises TimeoutError with the end of what came."""
        end = time.monotonic() + seconds
        while what not in self._seen:
            if time.monotonic() > end:
                raise TimeoutError(repr(self._seen[-2000:]))
            self._take(1.0)

    def taken(self) -> bytes:
        """What has come since this was asked last."""
        fresh, self._fresh = self._fresh, b""
        return fresh

    @property
    def alive(self) -> bool:
        """Whether the program runs."""
        return self._process.poll() is None

    def _take(self, seconds: float) -> None:
        if select.select([self._ours], [], [], seconds)[0]:
            try:
                piece = os.read(self._ours, 65_536)
            except OSError:  # the program has ended
                time.sleep(seconds)
                return
            self.received += len(piece)
            self._seen = (self._seen + piece)[-KEPT:]
            self._fresh = (self._fresh + piece)[-KEPT:]
