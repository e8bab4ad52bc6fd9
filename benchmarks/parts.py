"""Thinking and answer: where one ends and the other begins, and how long each is. One rule, whatever the text came from."""

from __future__ import annotations

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

    Without one, an output that itself opens its thinking is all thinking. Else one that stopped by itself (or whose reason
    is unknown), or whose `prompt` closed the thinking, is all answer part; one that was cut off is all thinking.
    """
    marks = marks or in_text(text)
    opened, begin, close = marks.opened(text), marks.begin(text), marks.last_close(text)
    if close is not None:
        start, end = close
        return Parts(text[min(begin, start) : start], marks.trimmed(text[end:]), end, opened, closed=True)
    if not opened and (finish_reason in ("stop", None) or prompt == "closed"):
        return Parts("", text, 0)
    return Parts(text[begin:], "", None, opened)


def answer_of(text: str, finish_reason: str | None, start: int | None) -> str:
    """The answer part of an output that was split before: `start` is its offset; None: split it again."""
    return split(text, finish_reason).answer if start is None else in_text(text).trimmed(text[start:])


def words(text: str) -> int:
    """Length in words, split at white space: the paper's unit."""
    return len(text.split())
