"""The pipes of a child process that speaks a protocol on stdin and stdout."""

from __future__ import annotations

import os
import signal
from typing import BinaryIO, NoReturn


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Private, non-inheritable copies of stdin and stdout; what C libraries print goes to stderr from here on."""
    stdin = os.fdopen(os.dup(0), "rb")
    stdout = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return stdin, stdout


def leave(code: int) -> NoReturn:
    """End this process at once, and with it whatever it has started in its process group, if the group is its own."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(code)
