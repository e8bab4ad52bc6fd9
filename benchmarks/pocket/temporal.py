"""Temporal: the form of BIG-Bench Hard's Temporal Sequences. When could somebody have gone somewhere?

The trace names no person and no activity: it copies the spans in order, writes the free one where they leave a gap, and
gives every option the word (busy or free) that the same span had before.
"""

from __future__ import annotations

import random
from itertools import pairwise

from benchmarks.pocket import words
from benchmarks.pocket.sample import Sample
from benchmarks.pocket.wording import worded

NOVELTY = 0.25  # share of slots filled with words that the vocabulary lacks


def clock(hour: int) -> str:
    """7 -> 7am, 12 -> 12pm, 15 -> 3pm."""
    return f"{(hour - 1) % 12 + 1}{'am' if hour < 12 else 'pm'}"


def span(interval: tuple[int, int]) -> str:
    """(7, 11) -> 7am to 11am."""
    return f"{clock(interval[0])} to {clock(interval[1])}"


def generate(rng: random.Random, novelty: float | None = None) -> Sample:
    """One question with three to five sightings and one gap between waking and closing.

    `novelty` is the share of unseen words; by default most questions have NOVELTY, some none and some nearly all.
    """
    sightings = rng.randint(3, 5)
    cuts = sorted(rng.sample(range(5, 23), sightings + 2))
    intervals = list(pairwise(cuts))
    gap = rng.randrange(sightings + 1)
    free = intervals[gap]
    busy = intervals[:gap] + intervals[gap + 1 :]
    options = [free, *rng.sample(busy, 3)]
    rng.shuffle(options)
    letter = "ABCD"[options.index(free)]
    return Sample(
        {"input": _question(rng, _novelty(rng) if novelty is None else novelty, cuts, busy, options)},
        _thinking(rng, cuts, busy, options, letter),
        f" The answer is ({letter}).",
        letter,
    )


def _novelty(rng: random.Random) -> float:
    return NOVELTY if rng.random() < 0.7 else rng.choice((0.0, 0.9))


def _question(
    rng: random.Random, novelty: float, cuts: list[int], busy: list[tuple[int, int]], options: list[tuple[int, int]]
) -> str:
    who, where = words.name(rng, novelty), words.place(rng, novelty)
    lines = [f"Today, {who} went to the {where}. Between what times could they have gone?", "We know that:"]
    lines.append(f"{who} woke up at {clock(cuts[0])}.")
    lines += [
        f"{words.name(rng, novelty)} saw {who} {words.activity(rng, novelty)} from {clock(a)} to {clock(b)}." for a, b in busy
    ]
    lines.append(f"The {where} was closed after {clock(cuts[-1])}.")
    lines.append(f"Between what times could {who} have gone to the {where}?")
    lines.append("Options:")
    lines += [f"({name}) {span(option)}" for name, option in zip("ABCD", options, strict=True)]
    return "\n".join(lines)


def _walk(cuts: list[int], busy: list[tuple[int, int]]) -> list[str]:
    """Each sighting copied in order; where it does not begin at the last hour, the free time before it."""
    lines, now = [f" woke up at {clock(cuts[0])}."], cuts[0]
    for interval in busy:
        lines.append(f" from {span(interval)} busy{_free(now, interval[0])}.")
        now = interval[1]
    return [*lines, f" closed after {clock(cuts[-1])}{_free(now, cuts[-1])}."]


def _free(now: int, then: int) -> str:
    return f", from {span((now, then))} free" if then != now else ""


def _thinking(
    rng: random.Random, cuts: list[int], busy: list[tuple[int, int]], options: list[tuple[int, int]], letter: str
) -> str:
    listed = [
        f" from {span(option)} {'free' if name == letter else 'busy'} ({name})."
        for name, option in zip("ABCD", options, strict=True)
    ]
    return worded(rng, _walk(cuts, busy), [" Options:", *listed, f" free ({letter})."])
