"""95 % intervals of the share of independent trials, after Wilson. Shares run from 0 to 1."""

from __future__ import annotations

import math

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


def pass_at_k(correct: int, n: int, k: int) -> float:
    """Unbiased estimate (0 to 1) of the chance that one of `k` samples is right, from `correct` of `n` (Chen et al. 2021)."""
    return 1.0 - math.comb(n - correct, k) / math.comb(n, k)
