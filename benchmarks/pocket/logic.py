"""Logic: FOLIO-like premises about one person; is the conclusion True, False or Uncertain? One to five hops.

Each trait implies at most one other, so that the trace is a walk: trait after trait, until the one that is asked for is
named, or none follows from the last.
"""

from __future__ import annotations

import random
from itertools import pairwise

from benchmarks.pocket import words
from benchmarks.pocket.sample import Sample
from benchmarks.pocket.wording import worded

FORMS = ("All {a} people are {b}.", "If someone is {a} then they are {b}.", "Everyone who is {a} is {b}.")
NOTHING = "nothing"


def generate(rng: random.Random) -> Sample:
    """One question: a chain from the person's trait, a side chain that does not touch it, and a conclusion."""
    hops = rng.randint(1, 5)
    traits = rng.sample(words.TRAITS, hops + 4)
    chain, side = traits[: hops + 1], traits[hops + 1 :]
    rules = list(pairwise(chain))
    if rng.random() < 0.4:  # such a chain ends in what the person is not
        rules[-1] = (rules[-1][0], f"not {rules[-1][1]}")
    who = words.name(rng, 0.1)
    label = rng.choice(("True", "False", "Uncertain"))
    asked, walk = _asked(rng, label, chain[0], [then for _, then in rules], side)
    stated = [rng.choice(FORMS).format(a=a, b=b) for a, b in [*rules, *pairwise(side[: rng.randint(2, 4)])]]
    premises = [f"{who} is known to be {chain[0]}.", *stated]
    rng.shuffle(premises)
    conclusion = NOTHING if label == "Uncertain" else walk[-1]
    work = [f" known to be {' '.join(walk)}.", f" asked {asked}, found {conclusion}."]
    return Sample(
        {"premises": "\n".join(premises), "conclusion": f"{who} is {asked}."},
        worded(rng, work, []),
        f" The answer is {label}.",
        label,
    )


def _asked(rng: random.Random, label: str, first: str, implied: list[str], side: list[str]) -> tuple[str, list[str]]:
    """What the conclusion says of the person, and the walk that settles it."""
    if label == "Uncertain":
        return rng.choice(("", "", "not ")) + rng.choice(side), [first, *implied, NOTHING]
    at = rng.randrange(len(implied))
    holds = implied[at]
    asked = holds if label == "True" else holds.removeprefix("not ") if holds.startswith("not ") else f"not {holds}"
    return asked, [first, *implied[: at + 1]]
