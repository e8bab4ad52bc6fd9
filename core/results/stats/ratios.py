"""Ratios of a compressed variant to the dense one on the same questions: of scores (recovery), of lengths (inflation)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from core.results.stats.beta import Floats, t_quantile
from core.results.stats.differences import added_square
from core.results.stats.mean import ALPHA
from core.results.stats.shares import Interval, Z


@dataclass(frozen=True, slots=True)
class Recovery:
    """The compressed variant's score over the dense one's, its 95 % interval, and its noise floor.

    The floor is the interval of what a second run of the dense variant would show by chance.
    """

    ratio: float
    interval: Interval
    floor: Interval


@dataclass(frozen=True, slots=True)
class Inflation:
    """The geometric mean of the questions' ratios of tokens, and its 95 % interval; None for a single question."""

    ratio: float
    interval: Interval | None


def recovery(compressed: ArrayLike, dense: ArrayLike, samples: ArrayLike) -> Recovery | None:
    """The ratio of two mean scores of the same questions; `compressed`, `dense`: mean scores, 0 to 1, [questions].

    `samples`: how many the dense means are of, [questions]. The interval (Fieller's) holds each ratio r where a score test does
    not exclude that compressed minus r times dense is 0 on average. Two questions are added as in `paired`, so that it holds 1
    exactly where the paired difference is not significant. None where the dense score is within noise of 0.
    """
    over, under = np.asarray(compressed, dtype=float), np.asarray(dense, dtype=float)
    if not len(under) or not under.any():
        return None
    low, high = ratio_bounds(over, under)
    if not math.isfinite(float(high)):
        return None
    floor = noise_floor(under, np.asarray(samples, dtype=float))
    return Recovery(float(over.sum() / under.sum()), (float(low), float(high)), (float(floor[0]), float(floor[1])))


def ratio_bounds(over: Floats, under: Floats) -> tuple[Floats, Floats]:
    """Both bounds, [...], of the ratios of mean scores, [..., questions]; the upper one is infinite where none can be given."""
    added = added_square(over - under)
    tops, bottoms = over.sum(axis=-1), under.sum(axis=-1)
    # The ratios r with (tops - r bottoms)^2 <= Z^2 (sum of (over - r under)^2 + added (1 - r + r^2)) solve
    # a r^2 - 2 b r + c <= 0.
    a = bottoms**2 - Z**2 * ((under**2).sum(axis=-1) + added)
    b = tops * bottoms - Z**2 * ((over * under).sum(axis=-1) + added / 2)
    c = tops**2 - Z**2 * ((over**2).sum(axis=-1) + added)
    with np.errstate(all="ignore"):
        root = np.sqrt(np.maximum(0.0, b**2 - a * c))
        low, high = np.maximum(0.0, (b - root) / a), (b + root) / a
        ratio = tops / bottoms
    known = a > 0
    return np.where(known, np.minimum(low, ratio), 0.0), np.where(known, np.maximum(high, ratio), np.inf)


def noise_floor(dense: Floats, samples: Floats) -> tuple[Floats, Floats]:
    """Both bounds, [...], of a second dense run's score over the first's, whose means are `dense` (0 to 1, [..., questions]).

    `samples`: how many each mean is of, [..., questions]. Only samples of one question vary from run to run; where a question
    has one alone, its variance is taken to be that of a yes-or-no score with the mean of all questions, the largest possible.
    """
    n, total, middle = dense.shape[-1], dense.sum(axis=-1), dense.mean(axis=-1)
    samples = np.broadcast_to(samples, dense.shape)
    most = n * middle * (1 - middle)
    single = (middle * (1 - middle))[..., None]
    variance = np.where(samples > 1, dense * (1 - dense) / np.maximum(1, samples - 1), single).sum(axis=-1)
    guess = 1 / (1 + most**2)
    within = np.minimum(1, (variance + guess) / (most + guess))
    # One more sample that differs: without it a run of equal samples would have no noise at all.
    added = 1 / samples.min(axis=-1) ** 2
    # Both runs have one true score, estimated by the mean of both. The sums s of their totals with
    # (s - 2 total)^2 <= Z^2 (within s (2 n - s) / 2 n + added) solve a s^2 - 2 b s + c <= 0.
    a, b, c = 1 + Z**2 * within / (2 * n), 2 * total + Z**2 * within / 2, 4 * total**2 - Z**2 * added
    half = np.sqrt(np.maximum(0.0, b**2 - a * c))
    with np.errstate(all="ignore"):
        low, high = ((b - half) / a - total) / total, ((b + half) / a - total) / total
        return np.clip(low, 0, 1), np.clip(high, 1, 1 / middle)


def inflation(compressed: ArrayLike, dense: ArrayLike) -> Inflation | None:
    """How many times the dense variant's tokens the compressed one's are; both: mean tokens > 0 of a question, [questions].

    The interval is Student's on the logarithms of the questions' ratios. None without questions. A length that was cut at the
    limit is only a lower bound; whether some are, the caller says.
    """
    over, under = np.asarray(compressed, dtype=float), np.asarray(dense, dtype=float)
    if not len(over):
        return None
    ratios = np.log(over) - np.log(under)
    n, middle = len(ratios), float(ratios.mean())
    if n == 1:
        return Inflation(math.exp(middle), None)
    # A count of tokens is a rounded length: its variance of 1/12 keeps equal lengths from a width of 0.
    rounding = float((1 / over**2 + 1 / under**2).mean()) / 12
    half = t_quantile(1 - ALPHA / 2, n - 1) * math.sqrt((float(ratios.var(ddof=1)) + rounding) / n)
    return Inflation(math.exp(middle), (math.exp(middle - half), math.exp(middle + half)))
