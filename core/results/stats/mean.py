"""The interval of a mean score, in which the question is the unit: samples of one question are alike.

A mean score gets as many *effective trials* as a share of independent yes-or-no trials needs to be as uncertain as the mean is
between its questions. Its interval is that of such a share: Clopper and Pearson's near 0 and 1, Jeffreys' (close to the mid-p
one) where hits and misses are many. `python -m tests.simulation.coverage` measures both how often it covers and how wide it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core.results.stats.beta import Floats, beta_quantile
from core.results.stats.shares import Interval

ALPHA = 0.05
FEW = 4.0  # hits or misses within which the interval passes from Clopper and Pearson's to Jeffreys'


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean score from 0 to 1, and the number of independent yes-or-no trials that would leave it as uncertain as it is."""

    value: float
    trials: float

    def interval(self, alpha: float = ALPHA) -> Interval:
        """The interval that misses the true score with probability `alpha`; it holds the mean and is never of zero width."""
        low, high = share_bounds(self.value, self.trials, alpha)
        return float(low), float(high)


def share_bounds(share: ArrayLike, trials: ArrayLike, alpha: float = ALPHA) -> tuple[Floats, Floats]:
    """Both bounds (0 to 1, [...]) of shares, [...], of `trials` > 0 trials, [...], which need not be whole numbers.

    A weight of 1 gives Clopper and Pearson's bound, 1/2 Jeffreys'. Where hits are few, only the former covers a rare one.
    """
    share, trials = np.asarray(share, dtype=float), np.asarray(trials, dtype=float)
    hits, misses = share * trials, (1 - share) * trials
    weight = (1 + np.exp(-np.minimum(hits, misses) / FEW)) / 2
    low = beta_quantile(hits + 1 - weight, misses + weight, alpha / 2)
    high = beta_quantile(hits + weight, misses + 1 - weight, 1 - alpha / 2)
    return np.minimum(low, share), np.maximum(high, share)


def effective_trials(means: Floats, samples: Floats) -> Floats:
    """Effective trials, [...], of mean scores over questions; `means`: of each question, 0 to 1, [..., questions].

    `samples`: how many each mean is of, [..., questions]. At least the number of questions, which is what a mean of 0 or 1 has;
    for yes-or-no scores at most the number of samples.
    """
    questions = means.shape[-1]
    middle = means.mean(axis=-1)
    most = questions * middle * (1 - middle)  # the sum of squares if each question were all or nothing
    squares = ((means - middle[..., None]) ** 2).sum(axis=-1) * questions / max(1, questions - 1)
    # Few hits say little about how alike the samples of a question are: then the guess is that they are the same.
    guess = 1 / (1 + most**2)
    trials = questions / np.minimum(1, (squares + guess) / (most + guess))
    hits = means * samples
    yes_or_no = (np.abs(hits - np.rint(hits)) < 1e-6).all(axis=-1)
    limit = np.broadcast_to(samples, means.shape).sum(axis=-1)
    capped: Floats = np.where(yes_or_no, np.minimum(trials, limit), trials)
    return capped


def mean_of(means: ArrayLike, samples: ArrayLike) -> Mean:
    """The mean over questions of their mean scores (0 to 1, [questions > 0]), each of so many samples (> 0, [questions])."""
    means = np.asarray(means, dtype=float)
    trials = effective_trials(means, np.asarray(samples, dtype=float))
    return Mean(float(np.clip(means.mean(), 0, 1)), float(trials))


def mean_interval(means: ArrayLike, samples: ArrayLike) -> Interval:
    """The 95 % interval of a mean score; arguments as in `mean_of`."""
    return mean_of(means, samples).interval()


def mover(parts: Sequence[tuple[float, Interval, float]]) -> Interval:
    """The interval of a weighted sum of independent estimates, one (estimate, interval, weight) each.

    The method of variance estimates recovery (MOVER; Zou, Huang and Zhang 2009) adds the squares of the distances from estimate
    to bound, which holds for few questions and extreme scores, for which a normal approximation does not.
    """
    middle = sum(weight * value for value, _, weight in parts)
    below = (weight * (value - ends[0 if weight > 0 else 1]) for value, ends, weight in parts)
    above = (weight * (ends[1 if weight > 0 else 0] - value) for value, ends, weight in parts)
    return middle - math.hypot(*below), middle + math.hypot(*above)
