"""The short form of `python -m tests.simulation.coverage`: every bar, in exact sums and in a part of the simulated designs.

A simulated figure may miss its bar by four standard errors of its own noise; the long form draws more.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.simulation import measures
from tests.simulation.coverage import measured, table
from tests.simulation.designs import BINARY, FAMILIES, QUESTIONS
from tests.simulation.draws import Design

REPETITIONS = 500
SLACK = 4 * math.sqrt(0.07 * 0.93 / REPETITIONS)
EVERY = {"mean": 3, "average": 5, "corrected": 24, "difference": 61, "recovery": 31}
"""Every how-manieth design is drawn here."""


@pytest.mark.parametrize("questions", QUESTIONS)
def test_one_sample_covers_93_percent_exactly_and_at_any_rate(questions: int) -> None:
    assert [measures.exact(questions, rate).missed() for rate in BINARY] == [""] * len(BINARY)
    coverage = [measures.exact(questions, rate).coverage for rate in np.linspace(0.0005, 0.5, 400)]
    assert min(share for share in coverage if share is not None) >= 0.93


@pytest.mark.parametrize(
    "one, other", [(10, 30), (30, 30), (30, 250), (100, 100), (100, 203), pytest.param(250, 250, marks=pytest.mark.long)]
)
def test_two_scores_without_difference_are_told_apart_in_5_percent_exactly(one: int, other: int) -> None:
    errors = [measures.exact_difference(one, other, rate, rate).error for rate in np.linspace(0.01, 0.5, 50)]
    assert max(error for error in errors if error is not None) <= 0.0525


@pytest.mark.parametrize("family", FAMILIES)
def test_no_design_misses_a_bar(family: str) -> None:
    rows = list(FAMILIES[family]())[:: EVERY[family]]
    results = list(measured(iter(rows), REPETITIONS, seed=1))
    assert [(name, words, missed) for name, words, figure in results if (missed := figure.missed(SLACK))] == []
    assert len(results) > 10 and table(results).count("\n") > 2


def test_the_simulation_sees_an_interval_that_is_too_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples taken for independent trials, where a question's samples are all alike, cover far less."""
    design = Design(100, 10, "binary", 0.5, "all")
    assert measures.mean(np.random.default_rng(1), design, REPETITIONS).missed(SLACK) == ""
    monkeypatch.setattr(measures, "effective_trials", lambda means, samples: np.full(len(means), samples.sum()))
    assert measures.mean(np.random.default_rng(1), design, REPETITIONS).missed(SLACK).startswith("covers 5")
