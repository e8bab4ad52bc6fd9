"""Logic: FOLIO-like premises about one person; is the conclusion True, False or Uncertain? One to five hops.

Each trait implies at most one other, so that the trace is a walk: each line takes the trait that the last one ended with
and goes on as its premise does, until no premise goes on.
"""

from __future__ import annotations

import random
from itertools import pairwise

from benchmarks.pocket import words
from benchmarks.pocket.sample import Sample

FORMS = ("All {a} people are {b}.", "If someone is {a} then they are {b}.", "Everyone who is {a} is {b}.")


def generate(rng: random.Random) -> Sample:
    """One question: a chain from the person's trait, a side chain that does not touch it, and a conclusion."""
    hops = rng.randint(1, 5)
    traits = rng.sample(words.TRAITS, hops + 4)
    chain, side = traits[: hops + 1], traits[hops + 1 :]
    negated_end = rng.random() < 0.4
    who = words.name(rng, 0.1)
    label = rng.choice(("True", "False", "Uncertain"))
    subject, negative = _conclusion(rng, label, chain, side, negated_end)
    rules = _rules(chain, negated_end) + _rules(side[: rng.randint(1, 3)], False)
    stated = [rng.choice(FORMS).format(a=a, b=b) for a, b in rules]
    premises = [f"{who} is known to be {chain[0]}.", *stated]
    rng.shuffle(premises)
    conclusion = f"{who} is {'not ' if negative else ''}{subject}."
    return Sample(
        {"premises": "\n".join(premises), "conclusion": conclusion},
        _thinking(chain, stated, subject, negative, label),
        f" The answer is {label}.",
        label,
    )


def _rules(chain: list[str], negated_end: bool) -> list[tuple[str, str]]:
    pairs = list(pairwise(chain))
    if negated_end and pairs:
        pairs[-1] = (pairs[-1][0], f"not {pairs[-1][1]}")
    return pairs


def _conclusion(rng: random.Random, label: str, chain: list[str], side: list[str], negated_end: bool) -> tuple[str, bool]:
    if label == "Uncertain":
        return rng.choice(side), rng.random() < 0.4
    at = rng.randint(1, len(chain) - 1)
    holds_negated = negated_end and at == len(chain) - 1
    return chain[at], holds_negated == (label == "True")


def _thinking(chain: list[str], stated: list[str], subject: str, negative: bool, label: str) -> str:
    asked = f"{'not ' if negative else ''}{subject}"
    opposite = subject if negative else f"not {subject}"
    found = {"True": asked, "False": opposite, "Uncertain": "nothing"}[label]
    rules = [f" {trait}{rule.split(f' {trait}', 1)[1]}" for trait, rule in zip(chain[:-1], stated, strict=False)]
    lines = [f" known to be {chain[0]}.", *rules, f" {chain[-1]}.", f" asked {asked}, found {found}."]
    return "\n".join(lines) + "\n"
