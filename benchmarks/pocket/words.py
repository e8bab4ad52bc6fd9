"""The words of the mini-suite. Each is one token of the embedded model; every other word is spelled byte by byte."""

from __future__ import annotations

import random

NAMES = """Ada Alan Alma Amos Anna Arlo Astrid Basil Bella Boris Bruno Carla Cedric Clara Cora Cyrus Dalia Dario Diana
Dora Edgar Edith Elias Ella Enzo Erik Esther Felix Fiona Flora Frida Gavin Gemma Gina Greta Gus Hazel Hector Hilda Hugo
Ida Igor Ingrid Irene Isaac Ivan Jonas Judith Julia Karl Kira Lars Laura Leo Lena Lionel Lola Lucas Luna Mabel Magnus
Marta Max Mila Milo Mona Nadia Nina Noah Nora Olga Oscar Otto Paula Pedro Petra Quinn Ralph Rita Rosa Ruben Selma Silas
Simon Sofia Stella Tara Theo Tilda Tobias Ursula Vera Victor Viola Walter Wanda Xavier Yara Yusuf Zelda""".split()

VERBS = """buying cooking cleaning drawing feeding fixing reading painting playing repairing riding selling sewing singing
sketching walking watching waiting working writing driving taking getting sitting making washing""".split()

THINGS = """a book|a boat|bread|cards|chess|flowers|fruit|horses|lunch|music|photos|pictures|shoes|the guitar|their bicycle|
their car|a letter|a coat|some tea|the dog|vegetables|a map|tickets|the piano""".replace("\n", "").split("|")

SPOTS = """at the harbor|at the bank|in the kitchen|at the office|near the old bridge|in the forest|at the stable|
by the river|at the workshop|in the town square|at the hospital|near the castle|at the hotel|in the yard|on the hill|
at the zoo|on the bus|near the fountain|at the corner|in the studio""".replace("\n", "").split("|")

PLACES = """museum|theater|bakery|post office|city hall|flower shop|gym|pharmacy|aquarium|concert hall|toy store|
swimming hall|garden|barber shop|tailor|fish market|chapel|tower|circus|ice rink""".replace("\n", "").split("|")

TRAITS = """brave calm clever cold curious eager fair funny gentle glad happy honest humble jolly kind lazy loud loyal lucky
merry modest neat noble patient polite proud quick quiet rich shy silent sleepy smart strong tall tidy tired wise young
bitter bold busy careful cheerful clumsy""".split()

CITIES = """Avalor Brimholt Calder Dunmere Eastvale Farrow Glimdor Harth Ilmar Jorvik Kestrel Lorne Mirefall Norwick
Oakhelm Pellan Quarry Ravenna Stormgard Thalia Umber Valdis Westrum Yarrow Zephyr""".split()

RIVERS = "Aster Brine Cobalt Dapple Ebon Fern Ginger Heron Indigo Jade".split()
CRAFTS = "glass wool silver paper salt honey wine rope clocks lamps".split()

SYLLABLES = "ba be bo ca ce da de do fa fi ga go ha he ja jo ka ki la le li lo ma me mi mo na ne no pa pe ra re ri ro sa se si ta te ti to va ve wi ya zo".split()
ENDINGS = ["", "", "n", "r", "s", "l", "th", "ck", "ly", "rd", "y", "ne"]


def unseen(rng: random.Random, *, capital: bool = False) -> str:
    """A made-up word that no vocabulary holds, so that the model learns to step over what it must spell."""
    word = "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(1, 3))) + rng.choice(ENDINGS)
    if rng.random() < 0.3:
        at = rng.randrange(len(word))
        word = word[:at] + rng.choice("abcdefghijklmnopqrstuvwxyz") + word[at:]
    return word.capitalize() if capital else word


def name(rng: random.Random, novelty: float) -> str:
    """A known name, or with probability `novelty` an unseen one."""
    return unseen(rng, capital=True) if rng.random() < novelty else rng.choice(NAMES)


def activity(rng: random.Random, novelty: float) -> str:
    """What somebody was seen doing, 1 to 8 words."""
    if rng.random() < novelty:
        words = [unseen(rng, capital=rng.random() < 0.1) for _ in range(rng.randint(1, 5))]
        words = [
            w if rng.random() < 0.6 else rng.choice(["a", "at", "the", "of", "in", "on", "to", "near", "their"]) for w in words
        ]
        return " ".join([rng.choice([rng.choice(VERBS), unseen(rng) + "ing"]), *words])
    parts = [rng.choice(VERBS)]
    if rng.random() < 0.7:
        parts.append(rng.choice(THINGS))
    if rng.random() < 0.8 or len(parts) == 1:
        parts.append(rng.choice(SPOTS))
    return " ".join(parts)


def place(rng: random.Random, novelty: float) -> str:
    """Somewhere to go, 1 or 2 words."""
    if rng.random() < novelty:
        return " ".join(unseen(rng) for _ in range(rng.randint(1, 2)))
    return rng.choice(PLACES)
