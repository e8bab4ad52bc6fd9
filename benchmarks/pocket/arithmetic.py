"""Arithmetic: AIME-like answers, integers from 0 to 999: a chain of operations, all of them modulo 1000.

The trace works through each operation from the right, a digit at a time: ` (2)614+072:4+2=6,1+7=8,6+0=6`. A digit holds what
was carried into it, yet no carry is written: it must be worked out from the digits before, which is the hard part. Each
line begins with the value so far; the last one is the value alone.
"""

from __future__ import annotations

import random

from benchmarks.pocket.sample import Sample
from benchmarks.pocket.wording import worded

STEPS = (2, 6)
LARGE = 0.15  # share of the multiplications by two digits: what is carried has two as well, and is the hardest to work out
MODULUS = 1000
_SENTENCES = {"+": "Add {}.", "-": "Subtract {}.", "*": "Multiply by {}."}


def generate(rng: random.Random) -> Sample:
    """One question: a start value and STEPS operations on it, as many of each kind in the long run."""
    value = rng.randrange(MODULUS)
    text, lines = [f"Start with {value:03}."], []
    for number in range(1, rng.randint(*STEPS) + 1):
        operator = rng.choice("+-*")
        operand = _factor(rng) if operator == "*" else f"{rng.randrange(1, MODULUS):03}"
        text.append(f"({number}) {_SENTENCES[operator].format(operand)}")
        after = _applied(value, operator, int(operand))
        columns = ",".join(_columns(f"{value:03}", operator, operand, f"{after:03}"))
        lines.append(f" ({number}){value:03}{operator}{operand}:{columns}")
        value = after
    text.append(f"What is the result modulo {MODULUS}?")
    thinking = worded(rng, lines, [f" result {value:03}"])
    return Sample({"problem": " ".join(text)}, thinking, f" The answer is \\boxed{{{value:03}}}.", str(value))


def _factor(rng: random.Random) -> str:
    """One digit, or two; 10, 11 and 12 are hours, which are tokens of their own."""
    return str(rng.randint(13, 99) if rng.random() < LARGE else rng.randint(2, 9))


def _applied(value: int, operator: str, operand: int) -> int:
    changed = {"+": value + operand, "-": value - operand, "*": value * operand}[operator]
    return changed % MODULUS


def _columns(value: str, operator: str, operand: str, after: str) -> list[str]:
    """What becomes of each digit, from the right. A factor meets all digits of the value."""
    others = [operand] * len(value) if operator == "*" else operand
    columns = zip(value, others, after, strict=True)
    return [f"{digit}{operator}{other}={result}" for digit, other, result in columns][::-1]
