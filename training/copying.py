"""Copying: training exercises of token ids without meaning, never tested.

Every trace is made of two skills: to go on as an earlier passage went on, and to give a key the value that it had
before. On questions alone a small model is slow to find them; on tokens drawn at random nothing else helps.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

LENGTH = 64  # tokens of an exercise
FEW, FIRST = 12, 12

Exercise = tuple[list[int], list[bool]]
"""Token ids, and for each whether it can be predicted from those before."""


def first_passage(rng: random.Random, words: Sequence[int]) -> Exercise:
    """A passage and its copy, always of one length: the model learns to output the token that it attends to."""
    return rng.choices(words, k=FIRST) * 2, [False] * FIRST + [True] * FIRST


def passage(rng: random.Random, words: Sequence[int], digits: Sequence[int]) -> Exercise:
    """A passage of any length, repeated: the model learns where to attend."""
    n = rng.randint(4, LENGTH // 2)
    repeated = rng.choices(_alphabet(rng, words, digits), k=n)
    return (repeated * LENGTH)[:LENGTH], [False] * n + [True] * (LENGTH - n)


def keys(rng: random.Random, words: Sequence[int], digits: Sequence[int]) -> Exercise:
    """Keys with their values; then keys in any order, each followed by its value."""
    alphabet = _alphabet(rng, words, digits)
    n = rng.randint(3, min(12, len(alphabet)))
    pairs = list(zip(rng.sample(alphabet, n), rng.choices(alphabet, k=n), strict=True))
    asked = rng.choices(pairs, k=LENGTH // 2 - n)
    return [token for pair in pairs + asked for token in pair], [False] * (2 * n) + [False, True] * len(asked)


def _alphabet(rng: random.Random, words: Sequence[int], digits: Sequence[int]) -> Sequence[int]:
    return rng.choice((words, words, digits, rng.sample(words, FEW)))
