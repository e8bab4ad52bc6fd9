"""Thinking and answer: where one ends and the other begins, and how long each is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from core.engines.thinking import THINK_END


@dataclass(frozen=True, slots=True)
class Parts:
    """An output cut in two. `answer_start` is the offset of the answer part in characters, None where there is none."""

    thinking: str
    answer: str
    answer_start: int | None


def split(text: str, finish_reason: str | None) -> Parts:
    """Cut an output at its last `</think>` that something follows.

    Without one, an output that stopped by itself (or whose reason is unknown) is all answer part; one that was cut off
    is all thinking and has no answer.
    """
    mark = closing(text, _last_mark)
    if mark is not None:
        return Parts(text[: mark[0]], text[mark[1] :], mark[1])
    if not was_cut(finish_reason):
        return Parts("", text, 0)
    return Parts(text, "", None)


def was_cut(finish_reason: str | None) -> bool:
    """Whether an output was cut off, so that its answer part may lack its end."""
    return finish_reason not in ("stop", None)


def words(text: str) -> int:
    """Length in words, split at white space: the paper's unit."""
    return len(text.split())


def closing(text: str, last: Callable[[str], tuple[int, int] | None]) -> tuple[int, int] | None:
    """Start and end of the mark that closes the thinking: the last one, or the one before where it stands behind the answer.

    `last` gives start and end of the last mark in a text, None where there is none.
    """
    mark = last(text)
    if mark is None or _says(text[mark[1] :]):
        return mark
    earlier = last(text[: mark[0]])
    return earlier if earlier is not None and _says(text[earlier[1] : mark[0]]) else mark


def _says(text: str) -> bool:
    """Whether a text has a letter or a digit outside marks such as `<|im_end|>`."""
    return bool(re.search(r"[^\W_]", re.sub(r"</?[^<>\s]{1,40}>", " ", text)))


def _last_mark(text: str) -> tuple[int, int] | None:
    at = text.rfind(THINK_END)
    return None if at < 0 else (at, at + len(THINK_END))
