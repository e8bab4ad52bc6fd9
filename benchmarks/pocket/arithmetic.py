"""Arithmetic: AIME-like answers, integers from 0 to 999, over two to six steps.

Numbers have three digits, as AIME's answers do. The trace works from the right, so that each of its steps is one entry of
a small table: ` (2) 614+072:4+2+0=6c0,1+7+0=8c0,6+0+0=6c0:686.` Behind each `=` stand the digit and the carry (or borrow).
"""

from __future__ import annotations

import random

from benchmarks.pocket.sample import Sample


def generate(rng: random.Random) -> Sample:
    """One question: a start value and steps, each of which keeps the value between 0 and 999."""
    value = rng.randint(1, 400)
    text, lines = [f"Start with {value:03}."], []
    for number in range(1, rng.randint(2, 6) + 1):
        sentence, operator, operand, after = _step(rng, value)
        text.append(f"({number}) {sentence}")
        work = ",".join(_columns(value, operator, operand))
        lines.append(f" ({number}) {value:03}{operator}{operand:03}:{work}:{after:03}.")
        value = after
    text.append("What is the result?")
    return Sample({"problem": " ".join(text)}, "\n".join(lines) + "\n", f" The answer is \\boxed{{{value:03}}}.", str(value))


def _step(rng: random.Random, value: int) -> tuple[str, str, int, int]:
    while True:
        kind = rng.choice("+-*")
        if kind == "+":
            operand = rng.randint(1, 300)
            result, sentence = value + operand, f"Add {operand:03}."
        elif kind == "-":
            operand = rng.randint(1, 300)
            result, sentence = value - operand, f"Subtract {operand:03}."
        else:
            operand = rng.randint(2, 5)
            result, sentence = value * operand, f"Multiply by {operand:03}."
        if 0 <= result <= 999:
            return sentence, kind, operand, result


def _columns(value: int, operator: str, operand: int) -> list[str]:
    """The work on the three digits from the right."""
    carry, parts = 0, []
    for place in (1, 10, 100):
        digit = value // place % 10
        other = operand if operator == "*" else operand // place % 10
        if operator == "-":
            total = digit - other - carry
            after, shown = int(total < 0), total % 10
            parts.append(f"{digit}-{other}-{carry}={shown}c{after}")
        else:
            total = (digit * other if operator == "*" else digit + other) + carry
            after, shown = divmod(total, 10)
            parts.append(f"{digit}{operator}{other}+{carry}={shown}c{after}")
        carry = after
    return parts
