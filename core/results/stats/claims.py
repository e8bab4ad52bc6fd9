"""P-values of several claims together, and of one by permutation."""

from __future__ import annotations

from collections.abc import Sequence

SEED = 0
RESAMPLES = 2_000


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values (1979), in the order given: the chance of one false claim among all stays below the level."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def permuted_p(observed: float, permuted: Sequence[float]) -> float:
    """The p-value of a statistic (large where the claim holds) among its values under permutations, itself counted as one."""
    # Sums in another order differ in their last digits; such a value is a tie.
    least = observed - 1e-9 * max(1.0, abs(observed))
    return (1 + sum(value >= least for value in permuted)) / (1 + len(permuted))
