"""Differences of two mean scores, whose interval and p-value agree: 0 lies outside the interval exactly where p < 0.05."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core.results.stats.beta import Floats
from core.results.stats.mean import ALPHA, Mean, share_bounds
from core.results.stats.shares import Z

ADDED = 2.5  # between 1 and 4: with it the test of yes-or-no scores is about as strict as the exact one of McNemar
STEPS = 30  # halvings of the p-value's logarithm
CAUTION = 0.97  # of the trials: scores move in steps, with which the test would err up to 5.7 instead of 5 %
SMALLEST = 1e-15  # p-value: a smaller probability is lost when it is taken from 1


@dataclass(frozen=True, slots=True)
class Difference:
    """One mean score minus another (-1 to 1), its 95 % interval, and the two-sided p-value of no difference."""

    difference: float
    low: float
    high: float
    p: float


def added_square(differences: Floats) -> Floats:
    """Square, [...], that is added to those of questions' differences, [..., questions], so that few of them are less certain.

    ADDED times the largest of the squares. Where all are small, questions with large ones may not have been met: then that of a
    whole question, the more so the smaller their sum is.
    """
    squares = differences**2
    square: Floats = ADDED * np.maximum(squares.max(axis=-1), 1 / (1 + squares.sum(axis=-1) ** 2))
    return square


def paired_bounds(differences: Floats) -> tuple[Floats, Floats, Floats]:
    """Score statistic of no difference and both bounds of the mean (-1 to 1), [...]; `differences`: [..., questions].

    Two questions with opposite differences are added, as Agresti and Min (2005) do for matched pairs.
    """
    total, n = differences.sum(axis=-1), differences.shape[-1] + 2
    square = (differences**2).sum(axis=-1) + added_square(differences)
    statistic = total / np.sqrt(square)
    if n <= Z * Z:  # one question: the statistic is below 1, and no difference can be excluded
        return statistic, np.full_like(total, -1.0), np.full_like(total, 1.0)
    # The differences x with (total - n x)^2 <= Z^2 (sum of (difference - x)^2), the two added ones included.
    half = Z * np.sqrt((square / n - (total / n) ** 2) / (n - Z * Z))
    mean = differences.mean(axis=-1)
    return (
        statistic,
        np.maximum(-1, np.minimum(mean, total / n - half)),
        np.minimum(1, np.maximum(mean, total / n + half)),
    )


def paired(differences: ArrayLike) -> Difference:
    """The mean of differences (-1 to 1, [questions > 0]) between two scores of the same questions.

    The interval holds each difference that a score test does not exclude; p comes from the same test of no difference.
    """
    values = np.asarray(differences, dtype=float)
    statistic, low, high = (float(number) for number in paired_bounds(values))
    return Difference(float(values.mean()), low, high, math.erfc(abs(statistic) / math.sqrt(2)))


def unpaired(one: Mean, other: Mean) -> Difference:
    """The difference of two mean scores of different questions, or of a printed one: Newcombe's method 10 on their intervals.

    p is the error probability of the interval that 0 just leaves.
    """
    low, high = (float(bound) for bound in hybrid_bounds((one.value, one.trials), (other.value, other.trials), ALPHA))
    return Difference(one.value - other.value, low, high, _inverted(one, other, outside=low > 0 or high < 0))


def hybrid_bounds(one: tuple[ArrayLike, ArrayLike], other: tuple[ArrayLike, ArrayLike], alpha: float) -> tuple[Floats, Floats]:
    """Newcombe's bounds (1998) of the difference of means, [...], each (value, effective trials), [...]; -1 to 1."""
    first, second = np.asarray(one[0], dtype=float), np.asarray(other[0], dtype=float)
    low, high = share_bounds(first, CAUTION * np.asarray(one[1]), alpha)
    other_low, other_high = share_bounds(second, CAUTION * np.asarray(other[1]), alpha)
    return (
        np.maximum(-1, first - second - np.hypot(first - low, other_high - second)),
        np.minimum(1, first - second + np.hypot(high - first, second - other_low)),
    )


def _inverted(one: Mean, other: Mean, outside: bool) -> float:
    """The error probability at which 0 lies on the bound; `outside`: whether 0 lies outside the 95 % interval."""
    if one.value == other.value:
        return 1.0
    low, high = (math.log(SMALLEST), math.log(ALPHA)) if outside else (math.log(ALPHA), 0.0)
    for _ in range(STEPS):
        middle = (low + high) / 2
        bounds = hybrid_bounds((one.value, one.trials), (other.value, other.trials), math.exp(middle))
        if bounds[0] > 0 or bounds[1] < 0:
            high = middle
        else:
            low = middle
    return min(math.exp(low), math.nextafter(ALPHA, 0)) if outside else max(ALPHA, math.exp(high))
