"""How an output ended: one class of its own, the same for the same tokens, whichever engine, server or log they came from."""

from __future__ import annotations

import re
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


_FINAL = (".", "!", "?", "}", ")", "]", "$", "*", "`", '"', "。", ">", "|")
"""How a text ends that was not cut in the middle of a sentence."""
_MARK = re.compile(r"</?[^<>\s]{1,40}>")
"""Marks such as `<|im_end|>`, which answer nothing."""


@dataclass(frozen=True, slots=True)
class Output:
    """A finished output, cut in its parts, and what is known of it. `prompt`: where the prompt left the thinking.

    `filtered`: a content filter refused it. `looping`: it fell into a loop and never came back. `stops` are the texts that
    end a response, `limit` is the most tokens that it could have (None: unknown).
    """

    text: str
    parts: Parts
    reason: str | None
    prompt: State | str | None
    looping: bool = False
    filtered: bool = False
    stops: Sequence[str] = ()
    limit: int | None = None


def ending(output: Output, parsed: str | None, declined: bool = False) -> Ending | None:
    """The first class that holds; None for a cancelled response.

    `parsed` is the answer that the rules found in it; `declined`: its answer refuses in words.
    """
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
    if reason == "repetition" or (output.looping and cut):
        return "loop"
    if unclosed and (cut or _stopped(output)):
        return "cut_in_thinking"
    if cut:
        return "cut_in_answer"
    if unclosed:
        return "ended_in_thinking"
    if parsed is None:
        return "refused" if declined else _unread(output)
    return "answered" if _MARK.sub("", parts.thinking).strip() else "no_thinking"


def _unread(output: Output) -> Ending:
    """The class of an output that ended in its answer part, in which the rules find nothing."""
    if _stopped(output):
        return "cut_in_answer" if output.parts.closed or output.prompt in ("closed", "none") else "cut_in_thinking"
    return "malformed" if _MARK.sub("", output.parts.answer).strip() else "empty"


def _stopped(output: Output) -> bool:
    """Whether a stop string ended the output. Servers leave it out of the text, which then breaks off in a sentence."""
    stops = [stop for stop in output.stops if stop]
    return output.text.endswith(tuple(stops)) or (bool(stops) and broken_off(output.text))


def broken_off(text: str) -> bool:
    """Whether a text stops in the middle of a sentence, or of bold text."""
    last = text.rstrip().rsplit("\n", 1)[-1]
    return not last.endswith(_FINAL) or last.count("**") % 2 == 1


def state_of_prompt(prompt: str) -> State | None:
    """Where a prompt as it was sent leaves the thinking, judged by its end; None where that does not tell."""
    end, marks = prompt.rstrip()[-64:], in_text(prompt)
    if end.endswith(marks.opens.strip()):
        return "opened"
    return "closed" if end.endswith((marks.closes.strip(), THINK_END)) else None
