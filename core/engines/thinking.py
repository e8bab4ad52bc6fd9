"""The marks that families of models put around their thinking, and where a text or a prompt stands to them.

Every module that looks for such marks takes them from here: engines know a model's family from its template and vocabulary
(`in_template`, `in_vocabulary`); of a text from a server or a log the text itself tells (`in_text`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

State = Literal["opened", "closed", "left to the model", "none"]
"""Where a prompt leaves the thinking: open, closed (thinking is off), for the model to open, or the model knows none."""

THINK = "<think>"
"""Opens the thinking of the embedded models, in the prompt or at the start of an output."""
THINK_END = "</think>"
"""Closes it; also the boundary that is written where a server sends reasoning apart from content."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What opens and closes the thinking of a family.

    `before` and `after` are patterns of markup that belongs to the closing mark, `ends` marks after the answer part.
    `header` may stand before the opening one in an output. `empty` is how a prompt writes closed thinking, where that is not
    the two marks. `signs` are texts by which a template shows the family. A closing mark of mere `words` shows no family.
    """

    opens: str
    closes: str
    before: str = ""
    after: str = ""
    ends: tuple[str, ...] = ()
    header: str = ""
    empty: str = ""
    signs: tuple[str, ...] = ()
    words: bool = False

    def opened(self, text: str) -> bool:
        """Whether an output itself opens the thinking."""
        return text.lstrip().removeprefix(self.header).lstrip().startswith(self.opens.strip())

    def begin(self, text: str) -> int:
        """Where the thinking begins: behind the opening mark; a plain `<think>` counts, as in published lengths."""
        if self.opens == THINK or not self.opened(text):
            return 0
        return text.index(self.opens.strip()) + len(self.opens.strip())

    def last_close(self, text: str) -> tuple[int, int] | None:
        """Start and end of the last closing mark, offsets in characters; None where there is none."""
        at = text.rfind(self.closes)
        if at < 0:
            return None
        if not self.before and not self.after:
            return at, at + len(self.closes)
        *_, last = _closing(self).finditer(text, max(0, at - _REACH))
        return last.start(), last.end()

    def trimmed(self, answer: str) -> str:
        """An answer part without the mark that ends it."""
        for mark in self.ends:
            if mark in answer:
                return answer[: answer.rindex(mark)]
        return answer

    def state(self, tail: str) -> State:
        """Where a prompt leaves the thinking, judged by `tail`, which is what follows the user's turn."""
        if self.empty and self.empty in tail:
            return "closed"
        opened = tail.rfind(self.opens.strip())
        closed = self.last_close(tail)
        if closed is not None and closed[0] > opened:
            return "closed"
        return "opened" if opened >= 0 else "left to the model"


_REACH = 64
"""Characters that the markup before a closing mark may have."""


@lru_cache(maxsize=64)
def _closing(marks: Marks) -> re.Pattern[str]:
    return re.compile(f"(?:{marks.before})?{re.escape(marks.closes)}(?:{marks.after})?")


@lru_cache(maxsize=64)
def tag(name: str) -> Marks:
    """The marks `<name>` and `</name>`."""
    return Marks(f"<{name}>", f"</{name}>")


PLAIN = tag("think")
HARMONY = Marks(
    "<|channel|>analysis<|message|>",
    "<|channel|>final<|message|>",
    before=r"(?:<\|end\|>)?(?:<\|start\|>assistant)?",
    ends=("<|return|>",),
    header="<|start|>assistant",
    signs=("<|channel|>",),
)
GEMMA = Marks("<|channel>thought\n", "<channel|>", signs=("<|channel>", "<channel|>"))
COHERE = Marks(
    "<|START_THINKING|>",
    "<|END_THINKING|>",
    after=r"\s*<\|START_(?:RESPONSE|TEXT)\|>",
    ends=("<|END_RESPONSE|>", "<|END_TEXT|>"),
    signs=("<|START_THINKING|>", "<|END_THINKING|>"),
)
SOLAR = Marks(
    "<|think|>",
    "<|begin|>assistant<|content|>",
    before=r"<\|end\|>",
    header="<|begin|>assistant",
    empty="<|think|><|end|>",
    signs=("<|begin|>assistant<|think|>",),
)
KIMI = Marks(
    "<|open|>think<|sep|>",
    "<|close|>think<|sep|>",
    after=r"\s*<\|open\|>response<\|sep\|>",
    ends=("<|close|>response<|sep|>",),
    signs=("<|open|>think<|sep|>",),
)
ADDRESSED = Marks(
    " to=self<|message|>",
    "<|start|>assistant to=user<|message|>",
    before=r"<\|eom\|>",
    header="<|start|>assistant",
    signs=("assistant to=self<|message|>",),
)
INNER = Marks("<|inner_prefix|>", "<|inner_suffix|>", signs=("<|inner_prefix|>",))
BRACKETS = Marks("[THINK]", "[/THINK]", signs=("[THINK]", "[/THINK]"))
TRIANGLES = Marks("◁think▷", "◁/think▷", signs=("◁think▷", "◁/think▷"))
APRIEL = Marks(
    "Here are my reasoning steps:",
    "[BEGIN FINAL RESPONSE]",
    ends=("[END FINAL RESPONSE]",),
    signs=("[BEGIN FINAL RESPONSE]",),
)
GRANITE = Marks("Here is my thought process:", "Here is my response:", signs=("Here is my thought process:",), words=True)
FAMILIES = (HARMONY, GEMMA, COHERE, SOLAR, KIMI, ADDRESSED, INNER, BRACKETS, TRIANGLES, APRIEL, GRANITE)
"""All but those with tags such as `<think>`."""
_TAG = re.compile(r"</?((?:\w{1,16}:)?(?:think|thinking|thought|reasoning)(?::\w{1,16})?)>")


def in_template(text: str) -> Marks | None:
    """The family that a template shows, in its source or in what it renders; None: it knows no thinking."""
    for family in FAMILIES:
        if any(sign in text for sign in family.signs):
            return family
    names = Counter(_TAG.findall(text))
    return tag(names.most_common(1)[0][0]) if names else None


def in_vocabulary(tokens: Iterable[str]) -> Marks | None:
    """The family whose closing mark is a token of its own; None where there is none."""
    known = set(tokens)
    if THINK_END in known:
        return PLAIN
    families = (family for family in FAMILIES if family.closes in known)
    tags = (tag(match[1]) for text in known if (match := _TAG.fullmatch(text)))
    return next(families, None) or next(tags, None)


def in_text(text: str) -> Marks:
    """The family that an output shows: the one that opens it, else the one whose closing mark is in it; `<think>` if none."""
    start = text.lstrip()
    for family in FAMILIES:
        if family.opened(start):
            return family
    if match := _TAG.match(start):
        return tag(match[1])
    if THINK_END in text:
        return PLAIN
    for family in FAMILIES:
        if family.closes in text and not family.words:
            return family
    closing = [match for match in _TAG.finditer(text) if match[0].startswith("</")]
    return tag(closing[-1][1]) if closing else PLAIN


def of(opens: str, closes: str) -> Marks | None:
    """The marks of a model as its engine said them; None for a model without."""
    if not closes:
        return None
    family = next((family for family in FAMILIES if family.closes == closes), None)
    return family or Marks(opens, closes)


_CLOSES = (*(family.closes for family in FAMILIES if not family.words), THINK_END)
_FIRST = re.compile("|".join([_TAG.pattern.replace("/?", "/"), *map(re.escape, _CLOSES)]))


def first_close(text: str) -> tuple[int, int] | None:
    """Start and end of the first closing mark of any family, for texts that are still growing; None where there is none."""
    match = _FIRST.search(text)
    return match.span() if match else None


LONGEST_CLOSE = max(map(len, _CLOSES))
"""Characters of a closing mark, for those who read a text piece by piece."""


def unfinished_close(text: str) -> int:
    """How many characters at the end of a text may be the beginning of a closing mark."""
    for size in range(min(len(text), LONGEST_CLOSE - 1), 0, -1):
        if any(mark.startswith(text[-size:]) for mark in _CLOSES):
            return size
    return 0


def close_before(text: str, at: int) -> int:
    """Where the closing mark begins that ends at offset `at` of a text; `at` itself where none does."""
    marks = in_text(text)
    closed = marks.last_close(text[:at])
    return closed[0] if closed is not None and closed[1] == at else at
