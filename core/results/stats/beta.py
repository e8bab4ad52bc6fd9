"""The one function of scipy that intervals need; it is imported at its first call, since most tables read stored intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def beta_quantile(a: ArrayLike, b: ArrayLike, probability: ArrayLike) -> Floats:
    """Quantiles (0 to 1, [...]) of beta distributions with parameters `a` and `b`, [...]; 0 where a is 0, 1 where b is 0."""
    from scipy.special import betaincinv

    a, b = np.broadcast_arrays(np.asarray(a, dtype=float), np.asarray(b, dtype=float))
    inside = betaincinv(np.where(a > 0, a, 1), np.where(b > 0, b, 1), probability)
    quantiles: Floats = np.where(a <= 0, 0.0, np.where(b <= 0, 1.0, inside))
    return quantiles


def t_quantile(probability: float, freedom: float) -> float:
    """The quantile of Student's t distribution with `freedom` (> 0) degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))
