"""Copying: a training exercise of token ids without meaning, never tested.

Every trace is made of two skills: to go on as an earlier passage went on, and to give a key the value that it had
before. On questions alone a small model is slow to find them; on tokens drawn at random nothing else helps.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

LENGTH = 96  # tokens of an exercise
FEW = 12


def exercise(rng: random.Random, words: Sequence[int], digits: Sequence[int]) -> tuple[list[int], list[bool]]:
    """Token ids, and which of them can be told from those before: a passage said again and again, or keys asked again."""
    alphabet = rng.choice((words, words, digits, rng.sample(words, FEW)))
    return _passage(rng, alphabet) if rng.random() < 0.5 else _keys(rng, alphabet)


def _passage(rng: random.Random, alphabet: Sequence[int]) -> tuple[list[int], list[bool]]:
    n = rng.randint(4, LENGTH // 2)
    passage = rng.choices(alphabet, k=n)
    return (passage * LENGTH)[:LENGTH], [False] * n + [True] * (LENGTH - n)


def _keys(rng: random.Random, alphabet: Sequence[int]) -> tuple[list[int], list[bool]]:
    n = rng.randint(3, min(16, len(alphabet)))
    pairs = list(zip(rng.sample(alphabet, n), rng.choices(alphabet, k=n), strict=True))
    asked = rng.choices(pairs, k=LENGTH // 2 - n)
    return [token for pair in pairs + asked for token in pair], [False] * (2 * n) + [False, True] * len(asked)
