"""How an output ended: one class of its own, the same for the same tokens, whichever engine, server or log they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from benchmarks.parts import Parts, was_cut
from core.engines.thinking import THINK_END, State, in_text

Ending = Literal[
    "error",
    "refused",
    "empty",
    "loop",
    "cut_in_thinking",
    "cut_in_answer",
    "ended_in_thinking",
    "malformed",
    "no_thinking",
    "answered",
]
ENDINGS: tuple[Ending, ...] = get_args(Ending)
ENDED: tuple[Ending, ...] = ("refused", "empty", "ended_in_thinking", "malformed", "no_thinking", "answered")
"""The endings of outputs that ended by themselves."""
CUT: tuple[Ending, ...] = ("loop", "cut_in_thinking", "cut_in_answer")
"""The endings of outputs that were cut off."""


@dataclass(frozen=True, slots=True)
class Output:
    """A finished output, cut in its parts, and what is known of it. `prompt`: where the prompt left the thinking.

    `filtered`: a content filter refused it. `declined`: its answer refuses in words. `collapsed`: it fell into a loop, from
    which a recovered one came back before it ended. `stops` are the texts that end a response.
    """

    text: str
    parts: Parts
    reason: str | None
    prompt: State | str | None
    parsed: str | None
    collapsed: bool = False
    filtered: bool = False
    declined: bool = False
    stops: Sequence[str] = ()


def ending(output: Output) -> Ending | None:
    """The first class that holds; None for a cancelled response."""
    parts, reason = output.parts, output.reason
    cut = was_cut(reason)
    unclosed = not parts.closed and (parts.opened or parts.answer_start is None)
    if reason == "cancelled":
        return None
    if reason == "error":
        return "error"
    if output.filtered:
        return "refused"
    if not output.text.strip():
        return "empty"
    if reason == "repetition" or (output.collapsed and cut):
        return "loop"
    if unclosed and (cut or _stopped_by(output)):
        return "cut_in_thinking"
    if cut:
        return "cut_in_answer"
    if unclosed:
        return "ended_in_thinking"
    if output.parsed is None:
        return "refused" if output.declined else "malformed" if parts.answer.strip() else "empty"
    return "answered" if parts.thinking.strip() else "no_thinking"


def _stopped_by(output: Output) -> bool:
    """Whether a stop string ended the output."""
    return any(stop and output.text.endswith(stop) for stop in output.stops)


def state_of_prompt(prompt: str) -> State | None:
    """Where a prompt as it was sent leaves the thinking, judged by its end; None where that does not tell."""
    end, marks = prompt.rstrip()[-64:], in_text(prompt)
    if end.endswith(marks.opens.strip()):
        return "opened"
    return "closed" if end.endswith((marks.closes.strip(), THINK_END)) else None
