"""How the screen is to look and how much it may send: for plain, slow or monochrome terminals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rich.cells import get_character_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

PLAIN_THEME = "ansi-dark"
"""The terminal's own colours: the theme in which NO_COLOR means none at all."""

_STAND_INS = (
    str.maketrans("▁▂▃▄▅▆▇█", "_.-=+*%#")
    | str.maketrans("─━═╌┄╴╶╺╸▔", "---------^")
    | str.maketrans("│┃║┊▏▎▍▌▐▕", "||||||||||")
    | str.maketrans("┌┐└┘╭╮╰╯├┤┬┴┼╋", "++++++++++++++")
    | str.maketrans("▉▊▋▀■●", "###^#*")
    | str.maketrans("×·–—…→←↑↓⏎✓✗▶▼▲«»“”‘’", "x.--~><^v<+x>v^<>\"\"''")
)


@dataclass(frozen=True, slots=True)
class Look:
    """`ascii` draws nothing beyond ASCII; `slow` sends fewer and smaller updates; `theme` names colours."""

    ascii: bool = False
    slow: bool = False
    mouse: bool = True
    theme: str | None = None


class Ascii(LineFilter):
    """Makes every line ASCII, cell by cell, whatever widget drew it."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same cells, styles kept."""
        return [s if s.control or s.text.isascii() else Segment(as_ascii(s.text), s.style) for s in segments]


@lru_cache(4096)
def as_ascii(text: str) -> str:
    """Text in ASCII that takes as many cells: lines, bars and signs by what looks like them, all else by question marks."""
    return "".join(c if c.isascii() else "?" * get_character_cell_size(c) for c in text.translate(_STAND_INS))
