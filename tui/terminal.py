"""The terminal: how the screen looks on a plain, slow or monochrome one, and how the program ends when it is gone."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from rich.cells import get_character_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import BUILTIN_THEMES

from core.errors import UsageError
from core.text import nearest

PLAIN_THEME = "ansi-dark"
"""The theme of the terminal's own colours; with NO_COLOR it sends no colour at all."""

STDIN = 0
GRACE_S = 3.0
"""How long the app may take to close after the terminal is gone, before the process is ended."""

_ASCII = (
    str.maketrans("▁▂▃▄▅▆▇█", "_.-=+*%#")
    | str.maketrans("─━═╌┄╴╶╺╸▔", "---------^")
    | str.maketrans("│┃║┊▏▎▍▌▐▕", "||||||||||")
    | str.maketrans("┌┐└┘╭╮╰╯├┤┬┴┼╋", "++++++++++++++")
    | str.maketrans("▉▊▋▀■●", "###^#*")
    | str.maketrans("×·–—…→←↑↓⏎✓✗▶▼▲«»“”‘’", "x.--~><^v<+x>v^<>\"\"''")
)


@dataclass(frozen=True, slots=True)
class Look:
    """How the screen is drawn: `ascii` alone, `slow` with fewer and smaller updates, with or without `mouse`, in `theme`."""

    ascii: bool = False
    slow: bool = False
    mouse: bool = True
    theme: str | None = None


class Ascii(LineFilter):
    """Turns every line into ASCII, whatever widget drew it."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same cells in ASCII, with their styles."""
        return [s if s.control or s.text.isascii() else Segment(as_ascii(s.text), s.style) for s in segments]


@lru_cache(4096)
def as_ascii(text: str) -> str:
    """Text in ASCII, as wide as before: lines, bars and signs become similar characters, the rest question marks."""
    return "".join(c if c.isascii() else "?" * get_character_cell_size(c) for c in text.translate(_ASCII))


def check_theme(name: str) -> None:
    """Raises UsageError for a theme that does not exist."""
    if name not in BUILTIN_THEMES:
        themes = ", ".join(sorted(BUILTIN_THEMES))
        raise UsageError(f"There is no theme {name!r}.{nearest(name, BUILTIN_THEMES)}", f"Name one of: {themes}.")


def leave_when_lost(leave: Callable[[], object]) -> None:
    """Watch the terminal in a thread; when it is gone, call `leave` and end the process.

    Without this a lost terminal would leave the app blocked in a write for ever.
    """
    if os.isatty(STDIN):
        threading.Thread(target=_watch, args=(leave,), name="terminal", daemon=True).start()


def _watch(leave: Callable[[], object]) -> None:
    poll = select.poll()
    poll.register(STDIN, 0)
    poll.poll()  # an empty event mask: it returns only on a hang-up or an error
    end = threading.Timer(GRACE_S, os._exit, (0,))
    end.daemon = True
    end.start()
    leave()
