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
"""Of each text; what comes after is shown as different without being compared."""
LEAST_EQUAL = 3

Step = tuple[bool, Sequence[str], Sequence[str]]
_WORD = re.compile(r"\s*\S+\s*")


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch that is equal on both sides, or what stands in its place on either."""

    equal: bool
    left: str
    right: str


def word_diff(left: str, right: str) -> list[Block]:
    """Blocks that put together give both texts back; words are equal whatever white space is between them."""
    from rapidfuzz.distance import Indel

    a, b = _WORD.findall(left) or [left], _WORD.findall(right) or [right]
    first, second = a[:MOST_WORDS], b[:MOST_WORDS]
    codes = Indel.opcodes([word.strip() for word in first], [word.strip() for word in second])
    steps: list[Step] = [
        (code.tag == "equal", first[code.src_start : code.src_end], second[code.dest_start : code.dest_end]) for code in codes
    ]
    if len(a) > MOST_WORDS or len(b) > MOST_WORDS:
        steps.append((False, a[MOST_WORDS:], b[MOST_WORDS:]))
    return list(_joined(_without_chance(steps)))


def _without_chance(steps: Sequence[Step]) -> Iterator[Step]:
    last = len(steps) - 1
    for at, (equal, a, b) in enumerate(steps):
        by_chance = equal and len(a) < LEAST_EQUAL and 0 < at < last
        yield equal and not by_chance, a, b


def _joined(steps: Iterator[Step]) -> Iterator[Block]:
    for equal, group in groupby(steps, key=lambda step: step[0]):
        pairs = [("".join(a), "".join(b)) for _, a, b in group]
        block = Block(equal, "".join(a for a, _ in pairs), "".join(b for _, b in pairs))
        if block.left or block.right:
            yield block
