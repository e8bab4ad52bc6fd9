"""Thinking and answer: where one ends and the other begins, and how long each is. One rule, whatever the text came from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.engines.thinking import Marks, State, in_text


@dataclass(frozen=True, slots=True)
class Parts:
    """An output cut in two. `answer_start` is the offset of the answer part in characters, None where there is none.

    `opened`: the output itself opens its thinking; `closed`: it has a closing mark.
    """

    thinking: str
    answer: str
    answer_start: int | None
    opened: bool = False
    closed: bool = False


def split(text: str, finish_reason: str | None, marks: Marks | None = None, prompt: State | str | None = None) -> Parts:
    """Cut an output at the last closing mark of its family (`marks`; None: the family that the text shows).

    One that stands behind the answer is stray. Without a mark, an output whose thinking is open (the output opens it, or the
    `prompt` did) is all thinking, however it ended. Else it is all answer part; but where nobody knows what the prompt did
    (None) and the output was cut off, it is all thinking.
    """
    marks = marks or in_text(text)
    opened, begin, close = marks.opened(text), marks.begin(text), closing(text, marks)
    if close is not None:
        start, end = close
        if not opened and prompt in ("closed", "none") and not _says(text[end:]):
            return Parts("", text[:start], 0)
        return Parts(text[min(begin, start) : start], marks.trimmed(text[end:]), end, opened, closed=True)
    if opened or prompt == "opened":
        return Parts(text[begin:], "", None, opened)
    if prompt is not None or not was_cut(finish_reason):
        return Parts("", text, 0)
    return Parts(text[begin:], "", None)


def was_cut(finish_reason: str | None) -> bool:
    """Whether an output was cut off, so that its answer part may lack its end."""
    return finish_reason not in ("stop", None)


def answer_of(text: str, finish_reason: str | None, start: int | None) -> str:
    """The answer part of an output that was split before: `start` is its offset; None: split it again."""
    return split(text, finish_reason).answer if start is None else in_text(text).trimmed(text[start:])


def words(text: str) -> int:
    """Length in words, split at white space: the paper's unit."""
    return len(text.split())


def closing(text: str, marks: Marks) -> tuple[int, int] | None:
    """Start and end of the mark that closes the thinking: the last one, or the one before where it stands behind the answer."""
    mark = marks.last_close(text)
    if mark is None or _says(text[mark[1] :]):
        return mark
    earlier = marks.last_close(text[: mark[0]])
    return earlier if earlier is not None and _says(text[earlier[1] : mark[0]]) else mark


def _says(text: str) -> bool:
    """Whether a text has a letter or a digit outside marks such as `<|im_end|>`."""
    return bool(re.search(r"[^\W_]", re.sub(r"</?[^<>\s]{1,40}>", " ", text)))
