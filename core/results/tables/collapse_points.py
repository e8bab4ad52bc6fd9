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
from typing import TypeVar

import numpy as np

from benchmarks.registry import get
from core.compress.methods import method
from core.results.rows import CollapsePoint, CurveStep, PointRow, State
from core.results.runs import Run, certain_runs, one_picture
from core.results.stats import RESAMPLES, SEED, difference, wilson

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Step:
    """A point of a curve: `hits` of `n` responses at `sparsity` percent, from `run` (None where it was only printed)."""

    sparsity: float
    hits: float
    n: int
    run: int | None = None


def collapse_point(curve: Sequence[Step], chance: float) -> CollapsePoint:
    """{low, high, state, low_ci, high_ci, agreeing} of a curve that begins with the dense model at sparsity 0.

    `low` and `high` are percent of sparsity, `high` None where the score holds to the end and both None where there is no
    point. `low_ci` and `high_ci` hold 95 % of those of resampled curves (None: beyond what was measured), `agreeing` is
    the share of resampled curves with this very interval.
    """
    if len(curve) < 2 or curve[0].sparsity != 0:
        return _nowhere("not enough data")
    dense = difference((curve[0].hits, curve[0].n), (chance * curve[0].n, curve[0].n))
    if dense is None or dense[0] <= 0:
        return _nowhere("already collapsed")
    sparsities = [step.sparsity for step in curve]
    shares = np.array([step.hits / step.n for step in curve])
    at = int(_first_below(shares[None, :], chance)[0])
    counts = np.array([step.n for step in curve])
    draws = np.random.default_rng(SEED).binomial(counts, shares, size=(RESAMPLES, len(curve))) / counts
    resampled = _first_below(draws, chance)
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


def points(connection: sqlite3.Connection, runs: Sequence[Run] | None = None) -> list[PointRow]:
    """The `points` of what `lrm-tui collapse --json` prints: one object for each pruned family and benchmark.

    {family, benchmark, low, high, state}, and beside that {origin, low_ci, high_ci, agreeing, curve}; a curve is a list of
    {sparsity, score, score_ci, n, run}, percent. `runs` are those of `shown_runs`, where they are at hand.
    """
    if runs is None:
        with one_picture(connection):
            runs = certain_runs(connection)
    return [_point(*family) for family in _families(runs)]


def _families(runs: Sequence[Run]) -> Iterable[tuple[str, str, str, list[Step]]]:
    """(family, benchmark, origin, curve from sparsity 0) of whatever was pruned."""
    dense: dict[tuple[str, str, str, str], Step] = {}
    pruned: dict[tuple[str, str, str, str, str], dict[float, Step]] = {}
    for run in (run for run in runs if run.summary.finished):
        what, where = method(run.compression), (run.model, run.benchmark, run.origin)
        step = Step(what.percent or 0.0, run.summary.credit, run.summary.finished, run.run)
        if what.pruning is None:
            _keep(dense, (*where, what.rest), step)
        elif what.percent:
            _keep(pruned.setdefault((*where, what.name, what.rest), {}), what.percent, step)
    for (model, benchmark, origin, name, rest), steps in pruned.items():
        start = dense.get((model, benchmark, origin, rest))
        curve = ([start] if start else []) + [steps[sparsity] for sparsity in sorted(steps)]
        yield f"{model} {name}", benchmark, origin, curve


def _keep(steps: dict[K, Step], key: K, step: Step) -> None:
    """Of two engines' runs the one with more responses."""
    if key not in steps or steps[key].n < step.n:
        steps[key] = step


def _point(family: str, benchmark: str, origin: str, curve: list[Step]) -> PointRow:
    point = collapse_point(curve, get(benchmark).chance)
    return {
        "family": family,
        "benchmark": benchmark,
        "low": point["low"],
        "high": point["high"],
        "state": point["state"],
        "origin": origin,
        "low_ci": point["low_ci"],
        "high_ci": point["high_ci"],
        "agreeing": point["agreeing"],
        "curve": [_shown(step) for step in curve],
    }


def _shown(step: Step) -> CurveStep:
    ends = wilson(step.hits, step.n)
    assert ends is not None
    return {
        "sparsity": step.sparsity,
        "score": 100 * step.hits / step.n,
        "score_ci": [100 * ends[0], 100 * ends[1]],
        "n": step.n,
        "run": step.run,
    }
