"""How two texts differ, word by word: the longest common subsequence by rapidfuzz, which is linear in words over 64 of them.

difflib's matcher needs seconds for what takes milliseconds here (`tests/speed/reading.py` holds one beside the other).
Stretches of a few equal words between differences are no likeness but chance, and count as different.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

MOST_WORDS = 20_000
"""Of each text, between its common beginning and end; what comes after is shown as different without being compared."""
LEAST_EQUAL = 3

Step = tuple[bool, bool, Sequence[str], Sequence[str]]
"""Whether equal, whether compared, and the words of both sides."""
_WORD = re.compile(r"\s*\S+\s*")


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch that is equal on both sides, or what stands in its place on either; `compared`: within MOST_WORDS."""

    equal: bool
    left: str
    right: str
    compared: bool = True


def word_diff(left: str, right: str) -> list[Block]:
    """Blocks that put together give both texts back; words are equal whatever white space is between them."""
    from rapidfuzz.distance import Indel

    a, b = _WORD.findall(left) or [left], _WORD.findall(right) or [right]
    first, second = [word.strip() for word in a], [word.strip() for word in b]
    head = _alike(first, second)
    tail = _alike(first[head:][::-1], second[head:][::-1])
    ends = (len(a) - tail, len(b) - tail)
    stop, other_stop = (min(end, head + MOST_WORDS) for end in ends)
    codes = Indel.opcodes(first[head:stop], second[head:other_stop])
    middle, other_middle = a[head:stop], b[head:other_stop]
    steps: list[Step] = [(True, True, a[:head], b[:head])] if head else []
    for code in codes:
        both = middle[code.src_start : code.src_end], other_middle[code.dest_start : code.dest_end]
        steps.append((code.tag == "equal", True, *both))
    if (stop, other_stop) != ends:
        steps.append((False, False, a[stop : ends[0]], b[other_stop : ends[1]]))
    if tail:
        steps.append((True, True, a[ends[0] :], b[ends[1] :]))
    return list(_joined(_without_chance(steps)))


def _alike(first: Sequence[str], second: Sequence[str]) -> int:
    """How many words both begin with."""
    return next((at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))


def _without_chance(steps: Sequence[Step]) -> Iterator[Step]:
    last = len(steps) - 1
    for at, (equal, compared, a, b) in enumerate(steps):
        by_chance = equal and len(a) < LEAST_EQUAL and 0 < at < last
        yield equal and not by_chance, compared, a, b


def _joined(steps: Iterator[Step]) -> Iterator[Block]:
    for (equal, compared), group in groupby(steps, key=lambda step: step[:2]):
        pairs = [("".join(a), "".join(b)) for _, _, a, b in group]
        block = Block(equal, "".join(a for a, _ in pairs), "".join(b for _, b in pairs), compared)
        if block.left or block.right:
            yield block
