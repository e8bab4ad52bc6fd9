"""A question with the reasoning that solves it, and the split that keeps training and test apart."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.base import Item

Split = Literal["train", "test"]
TEST_SHARE = 16  # of 256: a question whose hash falls below it is never trained on


@dataclass(frozen=True, slots=True)
class Sample:
    """Fields of the prompt template, thinking (after `<think>`), answer part (after `</think>`) and the gold answer."""

    fields: Mapping[str, str]
    thinking: str
    answer: str
    gold: str

    @property
    def digest(self) -> str:
        """A hash of the question alone."""
        return hashlib.sha256("\x00".join(self.fields.values()).encode()).hexdigest()

    @property
    def split(self) -> Split:
        """Where the question belongs, decided by its hash: the two can never meet."""
        return "test" if int(self.digest[:2], 16) < TEST_SHARE else "train"

    def item(self) -> Item:
        """The question without its solution."""
        return Item(self.digest[:16], dict(self.fields), (self.gold,))


Generator = Callable[[random.Random], Sample]


def draw(generate: Generator, rng: random.Random, split: Split) -> Sample:
    """The next sample of a split."""
    while True:
        sample = generate(rng)
        if sample.split == split:
            return sample


def draw_many(generate: Generator, seed: int, split: Split, count: int, tries: int = 200_000) -> list[Sample]:
    """Up to `count` different samples of a split (fewer where the space is small), the same for the same seed."""
    rng = random.Random(f"{split}-{seed}")
    samples: dict[str, Sample] = {}
    for _ in range(tries):
        sample = generate(rng)
        if sample.split == split:
            samples.setdefault(sample.digest, sample)
        if len(samples) == count:
            break
    return list(samples.values())
