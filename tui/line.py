"""The line to the terminal. When it is lost nobody is left to look at the screen, whose writer then waits for ever."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable

TERMINAL = 0
"""Standard input."""
GRACE_S = 3.0
"""How long the screen has to leave in order."""


def leave_when_lost(leave: Callable[[], object]) -> None:
    """Call `leave`, in a thread of its own, when the terminal is gone; then end the process."""
    if os.isatty(TERMINAL):
        threading.Thread(target=_watch, args=(leave,), name="line", daemon=True).start()


def _watch(leave: Callable[[], object]) -> None:
    line = select.poll()
    line.register(TERMINAL, 0)
    line.poll()  # nothing is asked for, so that only a hang-up or an error comes
    end = threading.Timer(GRACE_S, os._exit, (0,))
    end.daemon = True
    end.start()
    leave()
