"""Thinking and answer: where one ends and the other begins, and how long each is."""

from __future__ import annotations

from dataclasses import dataclass

from core.engines.thinking import THINK_END


@dataclass(frozen=True, slots=True)
class Parts:
    """An output cut in two. `answer_start` is the offset of the answer part in characters, None where there is none."""

    thinking: str
    answer: str
    answer_start: int | None


def split(text: str, finish_reason: str | None) -> Parts:
    """Cut an output at its last `</think>`.

    Without one, an output that stopped by itself (or whose reason is unknown) is all answer part; one that was cut off
    is all thinking and has no answer.
    """
    at = text.rfind(THINK_END)
    if at >= 0:
        start = at + len(THINK_END)
        return Parts(text[:at], text[start:], start)
    if finish_reason in ("stop", None):
        return Parts("", text, 0)
    return Parts(text, "", None)


def words(text: str) -> int:
    """Length in words, split at white space: the paper's unit."""
    return len(text.split())
