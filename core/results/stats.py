"""95 % confidence intervals: Wilson's for shares, the bootstrap for means. Scores and shares run from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Z = 1.959963984540054
RESAMPLES = 2_000
MANY = 1_000  # distinct values, beyond which the bootstrap is replaced by the normal interval
SEED = 0

Interval = tuple[float, float]


def wilson(hits: float, n: int) -> Interval | None:
    """Wilson's score interval (1927) for the share of `hits` among `n` trials, 0 to 1; None where n is 0."""
    if n == 0:
        return None
    share, width = hits / n, Z * Z / n
    middle = (share + width / 2) / (1 + width)
    half = Z * math.sqrt(share * (1 - share) / n + width / (4 * n)) / (1 + width)
    return min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))


def weighted_shares(strata: Sequence[tuple[float, int, float]]) -> tuple[float, Interval]:
    """The weighted sum of independent shares, one (hits, n > 0, weight) a stratum, and its interval, each 0 to 1.

    The interval combines the shares' Wilson intervals (MOVER, the method of variance estimates recovery; Zou, Huang and Zhang
    2009), which holds for the small counts and extreme shares for which a normal approximation does not.
    """
    middle = below = above = 0.0
    for hits, n, weight in strata:
        interval = wilson(hits, n)
        assert interval is not None
        middle += weight * hits / n
        below += (weight * (hits / n - interval[0])) ** 2
        above += (weight * (interval[1] - hits / n)) ** 2
    return middle, (max(0.0, middle - math.sqrt(below)), min(1.0, middle + math.sqrt(above)))


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


def difference(one: tuple[float, int], other: tuple[float, int]) -> Interval | None:
    """Newcombe's hybrid interval (1998, method 10) for the share of `one` minus that of `other`, each as (hits, n); -1 to 1.

    None where either n is 0.
    """
    first, second = wilson(*one), wilson(*other)
    if first is None or second is None:
        return None
    p, q = one[0] / one[1], other[0] / other[1]
    return (
        p - q - math.hypot(p - first[0], second[1] - q),
        p - q + math.hypot(first[1] - p, q - second[0]),
    )


def pass_at_k(correct: int, n: int, k: int) -> float:
    """Unbiased estimate (0 to 1) of the chance that one of `k` samples is right, from `correct` of `n` (Chen et al. 2021)."""
    return 1.0 - math.comb(n - correct, k) / math.comb(n, k)


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
