"""How often the intervals of core/results/stats/ hold the truth, and how wide they are, design by design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binom

from core.results.stats.beta import beta_quantile
from core.results.stats.corrected import corrected_interval
from core.results.stats.differences import hybrid_bounds, paired_bounds
from core.results.stats.mean import ALPHA, effective_trials, share_bounds
from core.results.stats.ratios import noise_floor, ratio_bounds
from core.results.stats.shares import Z
from tests.simulation.draws import Design, Draws, Floats, Pair, audited, both, means

LEAST, MOST, WIDEST, FALSE = 0.93, 0.97, 1.2, 0.055
ROUNDING = 1e-9  # a truth on the bound itself is held


@dataclass(frozen=True)
class Measured:
    """Shares of repetitions: `coverage` of the truth, or `error` (a difference seen where none is); `width` over Clopper-Pearson's.

    `middling`: the truth lies from 5 to 95 % and each benchmark has 100 questions or more, so that coverage has a ceiling.
    """

    coverage: float | None = None
    error: float | None = None
    width: float | None = None
    middling: bool = False

    def missed(self, slack: float = 0.0) -> str:
        """What the design misses by more than `slack`, in words; empty where nothing."""
        if self.coverage is not None and self.coverage < LEAST - slack:
            return f"covers {100 * self.coverage:.1f} %"
        if self.coverage is not None and self.middling and self.coverage > MOST + slack:
            return f"covers {100 * self.coverage:.1f} %"
        if self.error is not None and self.error > FALSE + slack:
            return f"errs {100 * self.error:.1f} %"
        if self.width is not None and not self.middling and self.width > WIDEST:
            return f"{self.width:.2f} times as wide"
        return ""


def held(bounds: tuple[Floats, Floats], truth: float) -> Floats:
    """Whether bounds hold the truth, [...]."""
    return (bounds[0] <= truth + ROUNDING) & (truth - ROUNDING <= bounds[1])


def clopper_pearson(share: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Clopper and Pearson's bounds of shares, [...], of `n` trials."""
    hits = np.asarray(share) * n
    return beta_quantile(hits, n - hits + 1, ALPHA / 2), beta_quantile(hits + 1, n - hits, 1 - ALPHA / 2)


def _width(bounds: tuple[Floats, Floats], weights: Floats | None = None) -> float:
    return float(np.average(bounds[1] - bounds[0], weights=weights))


def exact(questions: int, rate: float) -> Measured:
    """Yes-or-no scores with one sample a question, summed over the binomial distribution."""
    hits, chances = np.arange(questions + 1), binom.pmf(np.arange(questions + 1), questions, rate)
    bounds = share_bounds(hits / questions, questions)
    return Measured(
        coverage=float(chances @ held(bounds, rate)),
        width=_width(bounds, chances) / _width(clopper_pearson(hits / questions, questions), chances),
        middling=questions >= 100 and 0.05 <= rate <= 0.95,
    )


def exact_difference(questions: int, others: int, rate: float, other: float) -> Measured:
    """The difference of two yes-or-no scores of different questions with one sample each, summed over both distributions."""
    hits, other_hits = np.arange(questions + 1), np.arange(others + 1)
    chances = np.outer(binom.pmf(hits, questions, rate), binom.pmf(other_hits, others, other))
    first, second = np.meshgrid(hits / questions, other_hits / others, indexing="ij")
    low, high = hybrid_bounds((first, questions), (second, others), ALPHA)
    return Measured(
        coverage=float((chances * held((low, high), rate - other)).sum()),
        error=float((chances * ((low > 0) | (high < 0))).sum()) if rate == other else None,
    )


def mean(draws: Draws, design: Design, repetitions: int) -> Measured:
    """The interval of one benchmark's mean score."""
    scores = means(draws, design, repetitions)
    middle, trials = scores.mean(axis=-1), effective_trials(scores, np.full(design.questions, float(design.samples)))
    bounds = share_bounds(middle, trials)
    return Measured(
        coverage=float(held(bounds, design.truth).mean()),
        width=_width(bounds) / _width(clopper_pearson(middle, design.questions)),
        middling=design.questions >= 100 and 0.05 <= design.truth <= 0.95,
    )


def average_bounds(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """`mover` over arrays: both bounds, [repetitions], of the average of mean scores, each (value, effective trials)."""
    values = np.array([value for value, _ in parts])
    low, high = share_bounds(values, np.array([trials for _, trials in parts]))
    below, above = np.sqrt(((values - low) ** 2).sum(axis=0)), np.sqrt(((high - values) ** 2).sum(axis=0))
    middle = values.mean(axis=0)
    return np.maximum(0, middle - below / len(parts)), np.minimum(1, middle + above / len(parts))


def average(draws: Draws, designs: Sequence[Design], repetitions: int) -> Measured:
    """The interval of the average of several benchmarks; its width is compared with that of Clopper and Pearson's put together."""
    parts, below, above = [], np.zeros(repetitions), np.zeros(repetitions)
    for design in designs:
        scores = means(draws, design, repetitions)
        middle = scores.mean(axis=-1)
        parts.append((middle, effective_trials(scores, np.full(design.questions, float(design.samples)))))
        low, high = clopper_pearson(middle, design.questions)
        below, above = below + (middle - low) ** 2, above + (high - middle) ** 2
    bounds = average_bounds(parts)
    middle = np.mean([part[0] for part in parts], axis=0)
    wide = np.maximum(0, middle - np.sqrt(below) / len(parts)), np.minimum(1, middle + np.sqrt(above) / len(parts))
    return Measured(
        coverage=float(held(bounds, float(np.mean([design.truth for design in designs]))).mean()),
        width=_width(bounds) / _width(wide),
        middling=all(design.questions >= 100 and 0.05 <= design.truth <= 0.95 for design in designs),
    )


def corrected(draws: Draws, n: int, collapse: float, audit: float, outside: float, inside: float, repetitions: int) -> Measured:
    """The interval of a score that an audit corrects."""
    rows, times = np.unique(audited(draws, n, collapse, audit, outside, inside, repetitions), axis=0, return_counts=True)
    truth, hits = (1 - collapse) * outside + collapse * inside, 0
    for (collapsed, let_run, right, let_run_right), count in zip(rows, times, strict=True):
        interval = corrected_interval(
            SimpleNamespace(finished=n, collapsed=int(collapsed), audited=int(let_run),
                            uncollapsed_credit=float(right), audited_credit=float(let_run_right))
        )  # fmt: skip
        assert interval is not None
        hits += int(count) * (interval[0] - ROUNDING <= truth <= interval[1] + ROUNDING)
    return Measured(coverage=hits / repetitions)


def paired(draws: Draws, pair: Pair, repetitions: int) -> Measured:
    """The difference of two variants asked the same questions."""
    second, first = both(draws, pair, repetitions)
    statistic, low, high = paired_bounds(second - first)
    return Measured(
        coverage=float(held((low, high), pair.difference).mean()),
        error=float((np.abs(statistic) > Z).mean()) if pair.difference == 0 else None,
    )


def unpaired(draws: Draws, one: Design, other: Design, repetitions: int) -> Measured:
    """The difference of two mean scores of different questions."""
    scores = means(draws, one, repetitions), means(draws, other, repetitions)
    first, second = (
        (score.mean(axis=-1), effective_trials(score, np.full(score.shape[-1], float(design.samples))))
        for score, design in zip(scores, (one, other), strict=True)
    )
    low, high = hybrid_bounds(first, second, ALPHA)
    difference = one.truth - other.truth
    return Measured(
        coverage=float(held((low, high), difference).mean()),
        error=float(((low > 0) | (high < 0)).mean()) if difference == 0 else None,
    )


def recovery(draws: Draws, pair: Pair, repetitions: int) -> Measured:
    """The ratio of two variants asked the same questions, where one can be given; not measured where fewer than half can."""
    second, first = both(draws, pair, repetitions)
    low, high = ratio_bounds(second, first)
    known = np.isfinite(high)
    if known.mean() < 0.5:
        return Measured()
    return Measured(coverage=float(held((low[known], high[known]), pair.kept).mean()))


def floor(draws: Draws, design: Design, repetitions: int) -> Measured:
    """How often the noise floor holds the recovery that a second run of the same questions shows, measured as in `recovery`."""
    second, first = both(draws, Pair(design, 1.0, "thin"), repetitions)
    known = np.isfinite(ratio_bounds(first, first)[1])
    if known.mean() < 0.5:
        return Measured()
    second, first = second[known], first[known]
    low, high = noise_floor(first, np.full(design.questions, float(design.samples)))
    ratio = second.sum(axis=-1) / first.sum(axis=-1)
    return Measured(coverage=float(((low - ROUNDING <= ratio) & (ratio <= high + ROUNDING)).mean()))
