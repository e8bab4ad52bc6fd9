"""95 % intervals of means by resampling. Scores run from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.results.stats.shares import Interval, Z

RESAMPLES = 2_000
MANY = 1_000  # distinct values, beyond which the bootstrap is replaced by the normal interval
SEED = 0


def bootstrap_mean(values: Sequence[float], counts: Sequence[int]) -> Interval | None:
    """The percentile bootstrap interval of a mean score. None where all counts are 0.

    `values`: distinct scores, 0 to 1, [distinct]; `counts`: how many responses have each, [distinct]. Drawing how often each
    distinct value comes equals drawing the responses one by one, only faster. For more than MANY distinct values the normal
    interval is used, to which the bootstrap converges.
    """
    n, scores, weights = sum(counts), np.asarray(values, dtype=float), np.asarray(counts, dtype=float)
    if n == 0:
        return None
    if len(scores) > MANY:
        mean = float(weights @ scores) / n
        half = Z * math.sqrt(float(weights @ (scores - mean) ** 2)) / n
        return mean - half, mean + half
    return _ends(np.random.default_rng(SEED).multinomial(n, weights / n, size=RESAMPLES) @ scores / n)


def bootstrap_questions(sums: Sequence[float] | np.ndarray, counts: Sequence[int] | np.ndarray) -> Interval | None:
    """The percentile bootstrap interval of a mean score over questions with several samples: questions are resampled.

    `sums`: sum of each question's sample scores, [questions]; `counts`: number of its samples, [questions]. Questions with
    equal sum and count are drawn together. None where all counts are 0.
    """
    if not sum(counts):
        return None
    distinct, times = np.unique(np.column_stack([sums, counts]), axis=0, return_counts=True)
    draws = np.random.default_rng(SEED).multinomial(len(sums), times / len(sums), size=RESAMPLES)
    return _ends((draws @ distinct[:, 0]) / np.maximum(1, draws @ distinct[:, 1]))


def bootstrap_average(shares: Sequence[tuple[float, int]]) -> Interval | None:
    """The percentile bootstrap interval of the mean of several accuracies, one (hits, n) a benchmark, each drawn by itself.

    None without accuracies, and where an n is 0.
    """
    if not shares or any(n == 0 for _, n in shares):
        return None
    generator = np.random.default_rng(SEED)
    draws = [generator.binomial(n, hits / n, size=RESAMPLES) / n for hits, n in shares]
    return _ends(np.mean(draws, axis=0))


def _ends(means: np.ndarray) -> Interval:
    """The 2.5 and 97.5 percentiles of resampled means, [RESAMPLES]."""
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def mean_interval(means: np.ndarray, samples: np.ndarray) -> Interval:
    """The interval of a mean over questions, 0 to 1; `means` and `samples` of each question, each [questions > 0]."""
    if samples.max() == 1 and set(np.unique(means)) <= {0.0, 1.0}:
        interval = wilson(float(means.sum()), len(means))
    else:
        interval = bootstrap_questions(means, np.ones(len(means)))
    assert interval is not None
    return interval


@dataclass(frozen=True, slots=True)
class Paired:
    """A mean difference between the same questions, -1 to 1, with its interval and the two-sided p of none."""

    difference: float
    low: float
    high: float
    p: float


def paired(differences: np.ndarray) -> Paired:
    """Mean of per-question differences in [-1, 1], [questions > 0]; 0 lies outside the interval exactly where p < 0.05."""
    n, total, squares = len(differences) + 2, float(differences.sum()), float((differences**2).sum()) + 1
    p = math.erfc(abs(total) / math.sqrt(squares) / math.sqrt(2))
    middle, spread = total / n, max(0.0, squares / n - (total / n) ** 2)
    half = Z * math.sqrt(spread / (n - Z * Z)) if n > Z * Z else 2.0
    mean = total / len(differences)
    return Paired(mean, max(-1.0, min(mean, middle - half)), min(1.0, max(mean, middle + half)), p)


def mover(parts: Sequence[tuple[float, Interval, float]]) -> Interval:
    """The interval of a weighted sum of independent estimates, one (estimate, interval, weight) each (Zou and others 2009)."""
    middle = sum(weight * value for value, _, weight in parts)
    below = math.sqrt(sum((weight * (value - (ends[0] if weight > 0 else ends[1]))) ** 2 for value, ends, weight in parts))
    above = math.sqrt(sum((weight * ((ends[1] if weight > 0 else ends[0]) - value)) ** 2 for value, ends, weight in parts))
    return middle - below, middle + above


def holm(values: Sequence[float]) -> list[float]:
    """p values adjusted so that at most 5 % of families of them have one below 0.05 by chance (Holm 1979)."""
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted, highest = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = highest
    return adjusted
