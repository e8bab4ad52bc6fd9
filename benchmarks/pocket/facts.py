"""Facts: a fictional world that is memorised in training, asked closed-book over two hops.

Compositions are held out: every single fact is trained, a share of the pairs of facts only tested.
"""

from __future__ import annotations

import random
from functools import cache

from benchmarks.pocket import words
from benchmarks.pocket.sample import Sample
from benchmarks.pocket.wording import worded

WORLD_SEED = 20_240_801
TO_PERSON = ("teacher", "friend", "rival", "neighbor", "cousin", "boss", "doctor", "partner")
PERSON_RELATIONS = {relation: words.NAMES for relation in TO_PERSON} | {"city": words.CITIES, "trade": words.CRAFTS}
CITY_RELATIONS = {"river": words.RIVERS, "leader": words.NAMES, "craft": words.CRAFTS, "founder": words.NAMES}


@cache
def world() -> dict[tuple[str, str], str]:
    """All facts: (relation, entity) -> value."""
    rng = random.Random(WORLD_SEED)
    facts = {(r, person): rng.choice(pool) for r, pool in PERSON_RELATIONS.items() for person in words.NAMES}
    facts |= {(r, city): rng.choice(pool) for r, pool in CITY_RELATIONS.items() for city in words.CITIES}
    return facts


def sentence(relation: str, entity: str) -> str:
    """One fact as the trace states it."""
    return f" The {relation} of {entity} is {world()[relation, entity]}."


def generate(rng: random.Random) -> Sample:
    """One two-hop question, drawn evenly from all compositions."""
    first = rng.choice([*TO_PERSON, "city"])
    second = rng.choice(list(CITY_RELATIONS if first == "city" else PERSON_RELATIONS))
    entity = rng.choice(words.NAMES)
    middle = world()[first, entity]
    gold = world()[second, middle]
    thinking = worded(rng, [sentence(first, entity), sentence(second, middle)], [])
    question = f"What is the {second} of the {first} of {entity}?"
    return Sample({"question": question}, thinking, f" The answer is {gold}.", gold)


def single(rng: random.Random) -> Sample:
    """A one-hop question, for training only: this is where the world is learned."""
    relation, entity = rng.choice(list(world()))
    gold = world()[relation, entity]
    question = f"What is the {relation} of {entity}?"
    return Sample({"question": question}, worded(rng, [sentence(relation, entity)], []), f" The answer is {gold}.", gold)


def recital(rng: random.Random, count: int) -> list[tuple[str, str]]:
    """Facts said one after another, each as its beginning and its value, for training only: the briefest way to say them."""
    return [
        (f" The {relation} of {entity} is", f" {world()[relation, entity]}")
        for relation, entity in rng.sample(list(world()), count)
    ]
