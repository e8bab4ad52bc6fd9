"""Scores and lengths drawn under known truths, vectorised over repetitions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Draws = np.random.Generator

FRACTIONS = np.array([1 / 3, 1 / 2, 2 / 3, 1])
"""Values of F1 as short answers give them; the kind *uniform* draws from 0 to 1 instead."""
CONCENTRATION = {"moderate": 5.0, "strong": 0.5}
"""Sum of both parameters of the beta distribution from which a question's rate is drawn: the smaller, the more unlike."""


@dataclass(frozen=True)
class Design:
    """What is drawn: `rate` of nonzero samples; `kind` of scores: binary, fractions, uniform; how unlike the questions are."""

    questions: int
    samples: int
    kind: str
    rate: float
    unlike: str

    @property
    def truth(self) -> float:
        """The mean score of the population."""
        return self.rate * {"binary": 1.0, "fractions": float(FRACTIONS.mean()), "uniform": 0.5}[self.kind]


def rates(draws: Draws, shape: tuple[int, int], rate: float, unlike: str) -> Floats:
    """Rates of questions, [repetitions, questions]; `unlike`: none, moderate, strong, or all (or nothing)."""
    if unlike == "none" or rate in (0, 1):
        return np.full(shape, rate)
    if unlike == "all":
        return (draws.random(shape) < rate).astype(float)
    parameter = CONCENTRATION[unlike]
    return draws.beta(rate * parameter, (1 - rate) * parameter, shape)


def scored(draws: Draws, rate: Floats, samples: int, kind: str) -> Floats:
    """Mean scores of questions whose samples are nonzero at `rate`, [repetitions, questions]."""
    hits = draws.binomial(samples, rate)
    if kind == "binary":
        return hits / samples
    n = int(hits.sum())
    values = draws.choice(FRACTIONS, n) if kind == "fractions" else 1 - draws.random(n)
    questions = np.repeat(np.arange(hits.size), hits.ravel())
    return np.bincount(questions, values, hits.size).reshape(hits.shape) / samples


def means(draws: Draws, design: Design, repetitions: int) -> Floats:
    """Mean scores of questions, [repetitions, questions]."""
    rate = rates(draws, (repetitions, design.questions), design.rate, design.unlike)
    if design.unlike == "all" and design.kind != "binary":  # every sample of a question has the same score
        return scored(draws, rate, 1, design.kind)
    return scored(draws, rate, design.samples, design.kind)


@dataclass(frozen=True)
class Pair:
    """Two variants asked the same questions: `dense`, and one whose questions keep a share `kept` of its rates.

    `change`: *thin* (each question keeps that share), *lost* (that share of the questions stays as it is, the others are always
    wrong), or *redrawn* (the second one's rates have nothing to do with the first one's).
    """

    dense: Design
    kept: float
    change: str

    @property
    def difference(self) -> float:
        """The second mean score of the population minus the first."""
        return self.dense.truth * (self.kept - 1)


def both(draws: Draws, pair: Pair, repetitions: int) -> tuple[Floats, Floats]:
    """Mean scores of the same questions for the second variant and the dense one, [repetitions, questions] each."""
    design = pair.dense
    shape = (repetitions, design.questions)
    rate = rates(draws, shape, design.rate, design.unlike)
    other = rate
    if pair.change == "redrawn":
        other = rates(draws, shape, design.rate, design.unlike)
    kept = draws.random(shape) < pair.kept if pair.change == "lost" else pair.kept
    second = scored(draws, other * kept, design.samples, design.kind)
    return second, scored(draws, rate, design.samples, design.kind)


def audited(
    draws: Draws, n: int, collapse: float, audit: float, outside: float, inside: float, repetitions: int
) -> NDArray[np.int64]:
    """Counts of runs, [repetitions, 4]: collapsed, audited, correct ones that did not collapse, correct audited ones."""
    collapsed = draws.binomial(n, collapse, repetitions)
    let_run = draws.binomial(collapsed, audit)
    return np.column_stack([collapsed, let_run, draws.binomial(n - collapsed, outside), draws.binomial(let_run, inside)])
