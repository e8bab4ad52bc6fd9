"""The one place that makes text from a model, a file or an error safe for a terminal.

Terminals act on control characters, and a screen's columns shift under characters that take no cell. `printable` replaces
each of them by a visible character of one cell. Square brackets pass through: markup is kept apart by drawing text as
`rich.text.Text` or `textual.content.Content`, never as a markup string.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable

TAB = "    "
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
MAX_MARKS = 4
"""How many combining marks a character may carry: Vietnamese needs two, pointed Hebrew three; the rest is a flood."""

_CACHED_CHARACTERS = 8192
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and symbols by category that nevertheless draw nothing.
_INVISIBLE = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f")
# Presentation selectors after an emoji ask for a width that terminals disagree about; the emoji itself stays.
_DROPPED = frozenset("\ufe0e\ufe0f")
_NOT_PLAIN = re.compile(r"[^ -~]+")
_NOT_PLAIN_OR_NEWLINE = re.compile(r"[^\n -~]+")


def printable(text: str, *, keep_newlines: bool = False) -> str:
    """Return `text` with everything that a terminal would act on, or not show, made visible.

    C0 controls and DEL become their control pictures (a newline too, unless `keep_newlines`; then CR LF is one newline),
    a tab four spaces, other controls, format characters (bidirectional overrides, zero-width characters), surrogates,
    unassigned and private characters U+FFFD. At most `MAX_MARKS` combining marks follow one another. The result is
    at most four times as long, and printing it again changes nothing.
    """
    if text.isascii() and (text.replace("\n", "") if keep_newlines else text).isprintable():
        return text
    if keep_newlines:
        return _NOT_PLAIN_OR_NEWLINE.sub(_replaced, text.replace("\r\n", "\n"))
    return _NOT_PLAIN.sub(_replaced, text)


def nearest(word: str, names: Iterable[str]) -> str:
    """` Did you mean ...?` with the nearest of the names, to be put behind a sentence; empty where none is near."""
    from difflib import get_close_matches  # takes a hundredth of a second to import, and only errors need it

    by_plain = {name.lower(): name for name in names}
    found = get_close_matches(word.lower(), by_plain, n=1)
    return f" Did you mean {by_plain[found[0]]!r}?" if found else ""


def json_text(value: object, indent: int | None = None) -> str:
    """`value` as JSON that a terminal shows as it is: what `printable` would replace is escaped, so that nothing is lost."""
    return _NOT_PLAIN_OR_NEWLINE.sub(_escaped, json.dumps(value, ensure_ascii=False, indent=indent))


def _escaped(match: re.Match[str]) -> str:
    return "".join(c if printable(c) == c else json.dumps(c)[1:-1].replace("\x7f", "\\u007f") for c in match.group())


def _replaced(match: re.Match[str]) -> str:
    run = match.group().translate(_TABLE)
    return run if _TABLE.marks.isdisjoint(run) else _limit_marks(run)


def _limit_marks(run: str) -> str:
    """`run` with at most `MAX_MARKS` combining marks in a row."""
    characters: list[str] = []
    in_a_row = 0
    for character in run:
        in_a_row = in_a_row + 1 if character in _TABLE.marks else 0
        if in_a_row <= MAX_MARKS:
            characters.append(character)
    return "".join(characters)


class _Table(dict[int, str]):
    """Cache of each character's replacement, filled on first use; `marks`: characters seen so far that take no cell."""

    def __init__(self) -> None:
        super().__init__({code: chr(0x2400 + code) for code in range(0x20)})
        self.update({0x09: TAB, 0x7F: "\N{SYMBOL FOR DELETE}"})
        self.marks: set[str] = set()

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character in _DROPPED:
            replacement = ""
        elif character in _INVISIBLE or unicodedata.category(character) in _UNSAFE_CATEGORIES:
            replacement = REPLACEMENT
        else:
            replacement = character
            if _is_mark(character):
                self.marks.add(character)
        if len(self) < _CACHED_CHARACTERS:
            self[code] = replacement
        return replacement


def _is_mark(character: str) -> bool:
    """Whether a character is drawn upon the one before it: combining marks, and Korean vowels and final consonants."""
    return (
        unicodedata.category(character) in ("Mn", "Me")
        or "\u1161" <= character <= "\u11ff"
        or "\ud7b0" <= character <= "\ud7ff"
    )


_TABLE = _Table()
