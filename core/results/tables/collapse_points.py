"""Collapse points: between which sparsities a pruned family loses a benchmark.

A family is a model under one pruning method. Its score, corrected for chance, is followed from the dense model (the same
model without the pruning) to the highest sparsity; the collapse point is the first interval at whose end less than half
of the dense score is left. Where the dense score is itself within noise of chance there is nothing to lose. Accuracy
counts, for MuSiQue exact match. Imported runs make families of their own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

from benchmarks.registry import get
from core.results.questions import Questions
from core.results.rows import CollapsePoint, CurveStep, PointRow, State
from core.results.runs import Run
from core.results.stats import RESAMPLES, SEED, Mean, mean_of, unpaired
from core.results.tables.measured import Measured, measured

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Step:
    """A point of a curve: `hits` (a sum of the questions' means) of `n` questions at `sparsity` percent.

    `run` and `questions` are those of its row, None where it was only printed.
    """

    sparsity: float
    hits: float
    n: int
    run: int | None = None
    questions: Questions | None = None

    @property
    def mean(self) -> Mean:
        """Its score, 0 to 1, with its effective trials; a printed score is of as many trials as questions."""
        if self.questions is None:
            return Mean(self.hits / self.n, self.n)
        return mean_of(self.questions.credit, self.questions.samples)


@dataclass(frozen=True, slots=True)
class Family:
    """The curve of a pruned model on a benchmark, from sparsity 0."""

    name: str
    benchmark: str
    origin: str
    curve: list[Step]


def collapse_point(curve: Sequence[Step], chance: float) -> CollapsePoint:
    """{low, high, state, low_ci, high_ci, agreeing} of a curve that begins with the dense model at sparsity 0.

    `low` and `high` are percent of sparsity, `high` None where the score holds to the end and both None where there is no
    point. `low_ci` and `high_ci` hold 95 % of those of resampled curves (None: beyond what was measured), `agreeing` is
    the share of resampled curves with this very interval.
    """
    if (state := _known(curve, chance)) is not None:
        return _nowhere(state)
    sparsities = [step.sparsity for step in curve]
    shares = np.array([step.hits / step.n for step in curve])
    at = int(_first_below(shares[None, :], chance)[0])
    resampled = _first_below(_resampled(curve), chance)
    first, last = (int(end) for end in np.quantile(resampled, [0.025, 0.975], method="closest_observation"))
    (low, high), earliest, latest = (_ends(sparsities, place) for place in (at, first, last))
    return {
        "low": low,
        "high": high,
        "state": "collapsed" if at < len(curve) else "intact",
        "low_ci": [earliest[0], latest[0]],
        "high_ci": [earliest[1], latest[1]],
        "agreeing": 100 * float(np.mean(resampled == at)),
    }


def resampled_heights(family: Family) -> np.ndarray | None:
    """Sparsities at which resampled curves have collapsed, infinite for those that hold, [RESAMPLES]; None without a point."""
    chance = get(family.benchmark).chance
    if _known(family.curve, chance) is not None:
        return None
    heights = np.array([*(step.sparsity for step in family.curve), np.inf])
    drawn: np.ndarray = heights[_first_below(_resampled(family.curve), chance)]
    return drawn


def _known(curve: Sequence[Step], chance: float) -> State | None:
    """Why a curve has no collapse point, if so."""
    if len(curve) < 2 or curve[0].sparsity != 0:
        return "not enough data"
    guessing = Mean(chance, curve[0].n)
    return "already collapsed" if unpaired(curve[0].mean, guessing).low <= 0 else None


def _resampled(curve: Sequence[Step]) -> np.ndarray:
    """Scores of curves of resampled questions, [RESAMPLES, steps]: all steps that asked a question draw it together."""
    rng = np.random.default_rng(SEED)
    measured = [step.questions for step in curve if step.questions is not None]
    if len(measured) < len(curve):
        counts = np.array([step.n for step in curve])
        printed: np.ndarray = np.array([step.hits / step.n for step in curve])
        drawn: np.ndarray = rng.binomial(counts, printed, size=(RESAMPLES, len(curve))) / counts
        return drawn
    union = np.unique(np.concatenate([questions.items for questions in measured]))
    credit, asked = np.zeros((len(union), len(curve))), np.zeros((len(union), len(curve)))
    for number, questions in enumerate(measured):
        places = np.searchsorted(union, questions.items)
        credit[places, number], asked[places, number] = questions.credit, 1.0
    weights = _weights(len(union))
    shares: np.ndarray = (weights @ credit) / np.maximum(1, weights @ asked)
    return shares


@lru_cache(maxsize=8)
def _weights(questions: int) -> np.ndarray:
    """How often each of so many questions is drawn, [RESAMPLES, questions]."""
    drawn = np.random.default_rng(SEED).multinomial(questions, np.full(questions, 1 / questions), size=RESAMPLES)
    weights: np.ndarray = drawn.astype(np.float64)
    return weights


def _nowhere(state: State) -> CollapsePoint:
    return {"low": None, "high": None, "state": state, "low_ci": None, "high_ci": None, "agreeing": None}


def _first_below(shares: np.ndarray, chance: float) -> np.ndarray:
    """For each row of shares (curves x steps) the first step with less than half of step 0 left; the length where none has."""
    left = shares - chance
    below = left < left[:, :1] / 2
    below[:, 0] = False
    steps: np.ndarray = np.where(below.any(axis=1), below.argmax(axis=1), shares.shape[1])
    return steps


def _ends(sparsities: Sequence[float], at: int) -> tuple[float, float | None]:
    return sparsities[at - 1], sparsities[at] if at < len(sparsities) else None


def points(connection: sqlite3.Connection) -> list[PointRow]:
    """The `points` of what `lrm-tui collapse --json` prints: one object for each pruned family and benchmark.

    {family, benchmark, low, high, state}, and beside that {origin, low_ci, high_ci, agreeing, curve}; a curve is a list of
    {sparsity, score, score_ci, n, run}, percent.
    """
    return [point_row(family) for family in families(measured(connection))]


def families(cells: Iterable[Measured]) -> list[Family]:
    """The curve of whatever was pruned; each is of one protocol."""
    dense: dict[Hashable, Step] = {}
    pruned: dict[tuple[Hashable, str, str], dict[float, Step]] = {}
    first: dict[tuple[Hashable, str, str], Run] = {}
    for cell in cells:
        what, credit = cell.method, cell.questions.credit
        step = Step(what.percent or 0.0, float(credit.sum()), len(credit), cell.run.run, cell.questions)
        if what.pruning is None:
            _keep(dense, (cell.same, what.rest), step)
        elif what.percent:
            key = (cell.same, what.name, what.rest)
            first.setdefault(key, cell.run)
            _keep(pruned.setdefault(key, {}), what.percent, step)
    found = []
    for (same, name, rest), steps in pruned.items():
        run, start = first[same, name, rest], dense.get((same, rest))
        curve = ([start] if start else []) + [steps[sparsity] for sparsity in sorted(steps)]
        found.append(Family(f"{run.model} {name}", run.benchmark, run.origin, curve))
    return found


def _keep(steps: dict[K, Step], key: K, step: Step) -> None:
    """Of two engines' runs the one with more questions."""
    if key not in steps or steps[key].n < step.n:
        steps[key] = step


def point_row(family: Family) -> PointRow:
    """A family's collapse point on its benchmark, and its curve."""
    point = collapse_point(family.curve, get(family.benchmark).chance)
    return {
        "family": family.name,
        "benchmark": family.benchmark,
        "low": point["low"],
        "high": point["high"],
        "state": point["state"],
        "origin": family.origin,
        "low_ci": point["low_ci"],
        "high_ci": point["high_ci"],
        "agreeing": point["agreeing"],
        "curve": [_shown(step) for step in family.curve],
    }


def _shown(step: Step) -> CurveStep:
    return {
        "sparsity": step.sparsity,
        "score": 100 * step.hits / step.n,
        "score_ci": [100 * end for end in step.mean.interval()],
        "n": step.n,
        "run": step.run,
    }
