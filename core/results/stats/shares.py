"""95 % intervals of the share of independent trials, after Wilson. Shares run from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

Z = 1.959963984540054

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
