"""Recall: a training exercise, never tested. A list is shown and then told again, in order or shuffled.

Every other trace is made of this skill (copy a span, find the mark that came with it), so it is learned first.
"""

from __future__ import annotations

import random

from benchmarks.pocket import words
from benchmarks.pocket.sample import Sample
from benchmarks.pocket.temporal import span


def generate(rng: random.Random) -> Sample:
    """Three to eight keys (spans, numbers or traits), each with a mark; thinking gives every key its mark again."""
    count = rng.randint(3, 8)
    make = rng.choice((_spans, _numbers, _traits))
    marks = rng.choices((*"ABCD", "free", "busy", *words.TRAITS[:8]), k=count)
    pairs = [f"{key} {mark}." for key, mark in zip(make(rng, count), marks, strict=True)]
    told = pairs if rng.random() < 0.5 else rng.sample(pairs, count)
    return Sample(
        {"question": "\n".join(pairs)}, "".join(f" {pair}\n" for pair in told), f" The answer is {marks[0]}.", marks[0]
    )


def _spans(rng: random.Random, count: int) -> list[str]:
    ends = [sorted(rng.sample(range(5, 23), 2)) for _ in range(count)]
    return [f"from {span((a, b))}" for a, b in ends]


def _numbers(rng: random.Random, count: int) -> list[str]:
    return [f"{number:03}" for number in rng.sample(range(1000), count)]


def _traits(rng: random.Random, count: int) -> list[str]:
    return rng.sample(words.TRAITS, count)
