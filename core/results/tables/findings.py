"""The paper's claims as tests over the store, and the ranking of methods.

Each claim has an effect, its 95 % interval, a verdict and the runs behind it. Variants are compared within one model and
one origin only. Intervals tell of the responses' chance (every run's score with its standard error, the adjusted Wald one
for shares), not of which variants somebody chose to run. Length and correctness are confounded by difficulty: beside the
paper's plain comparison of short and long outputs stands one within questions that were asked several times.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from benchmarks.base import Kind as BenchmarkKind
from benchmarks.registry import get
from core.compress.methods import Kind, method
from core.results.run_summary import Digest
from core.results.runs import Run, one_picture, shown_runs
from core.results.stats import Z, bootstrap_mean, wilson
from core.results.tables.collapse_points import points
from core.results.tables.lengths import lengths_rows

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

FEWEST_PAIRS = 3
FEWEST_QUESTIONS = 10

Finding = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scored:
    """A run with its score (accuracy or F1, 0 to 1), the score's standard error, and what was done to the model."""

    run: Run
    score: float
    error: float
    kind: Kind
    method: str

    @property
    def dense(self) -> tuple[str, str, str]:
        """What a variant shares with the dense one that it is compared with."""
        return self.run.model, self.run.origin, self.run.benchmark


def findings(connection: sqlite3.Connection) -> dict[str, Any]:
    """{claims: [{claim, verdict, effect, effect_ci, unit, runs, basis}], ranking: [...]}; percentage points where not told.

    Verdicts: supported, contradicted, inconclusive, not enough data.
    """
    with one_picture(connection):
        runs = shown_runs(connection)
        ends = lengths_rows(connection, 30)
    scored = [_scored(run) for run in runs if run.digest.finished]
    found = points(connection, runs)
    claims = [
        _knowledge(scored),
        _order(found, "Harder tasks collapse at lower sparsity", _harder),
        _order(found, "Pruning loses knowledge before reasoning", _knowledge_first),
        _shorter(ends),
        _within_questions(runs),
    ]
    return {"claims": claims, "ranking": ranking(scored)}


def _scored(run: Run) -> Scored:
    found, what = run.digest, method(run.compression)
    share = share_and_error(found.credit, found.finished) if run.metric == "accuracy" else _mean_and_error(found)
    return Scored(run, *share, what.kind, what.name)


def share_and_error(hits: float, n: float) -> tuple[float, float]:
    """A share, and its standard error with two successes and two failures added, which is not 0 at the ends."""
    adjusted = (hits + 2) / (n + 4)
    return hits / n, math.sqrt(adjusted * (1 - adjusted) / (n + 4))


def _mean_and_error(found: Digest) -> tuple[float, float]:
    n, mean = found.finished, found.score / found.finished
    floor = 1 / (n + 4)  # as of a share without a hit: no run is without doubt
    return mean, math.sqrt(max(found.squares / n - mean**2, floor) / n)


def _finding(claim: str, unit: str, effect: float | None, ends: Sequence[float] | None, runs: int, basis: str) -> Finding:
    """A claim of an effect above 0."""
    if effect is None or ends is None:
        verdict = "not enough data"
    else:
        verdict = "supported" if ends[0] > 0 else "contradicted" if ends[1] < 0 else "inconclusive"
    about = {"effect": effect, "effect_ci": list(ends) if ends else None, "unit": unit, "runs": runs, "basis": basis}
    return {"claim": claim, "verdict": verdict, **about}


def _normal(parts: Iterable[tuple[float, float, float]]) -> tuple[float, tuple[float, float]]:
    """A weighted sum of (weight, value, standard error) in percentage points, and its interval."""
    known = list(parts)
    total = 100 * sum(weight * value for weight, value, _ in known)
    half = 100 * Z * math.sqrt(sum((weight * error) ** 2 for weight, _, error in known))
    return total, (total - half, total + half)


def _knowledge(runs: Sequence[Scored]) -> Finding:
    """Quantized minus pruned variants of one model, on the benchmarks of knowledge."""
    known = [one for one in runs if get(one.run.benchmark).kind == "knowledge" and one.kind in ("quantization", "pruning")]
    cells = [cell for cell in _grouped(known, lambda one: one.dense).values() if len({one.kind for one in cell}) == 2]
    parts = [
        (
            (1 if one.kind == "quantization" else -1) / sum(other.kind == one.kind for other in cell) / len(cells),
            one.score,
            one.error,
        )
        for cell in cells
        for one in cell
    ]
    effect, ends = _normal(parts) if cells else (None, None)
    basis = f"mean F1 of quantized minus that of pruned variants of the same model, {len(cells)} models and benchmarks"
    claim = "Quantization keeps knowledge better than pruning"
    return _finding(claim, "points of F1", effect, ends, sum(map(len, cells)), basis)


def _grouped(items: Iterable[T], of: Callable[[T], K]) -> dict[K, list[T]]:
    found: dict[K, list[T]] = {}
    for item in items:
        found.setdefault(of(item), []).append(item)
    return found


def _order(found: Sequence[dict[str, Any]], claim: str, first_falls: Any) -> Finding:  # noqa: ANN401 - a function of two points
    """The share of pairs of benchmarks within a family in which the one that should collapse first does."""
    known = [p for p in found if p["state"] in ("collapsed", "intact")]
    verdicts, runs = [], set()
    for at, one in enumerate(known):
        for other in known[at + 1 :]:
            if (one["family"], one["origin"]) != (other["family"], other["origin"]):
                continue
            pair = first_falls(one, other)
            if pair is None or _height(one) == _height(other):
                continue
            verdicts.append(_height(pair[0]) < _height(pair[1]))
            runs |= {step["run"] for point in (one, other) for step in point["curve"]}
    interval = wilson(sum(verdicts), len(verdicts)) if len(verdicts) >= FEWEST_PAIRS else None
    effect = 100 * sum(verdicts) / len(verdicts) - 50 if verdicts else None
    ends = [100 * end - 50 for end in interval] if interval else None
    basis = f"pairs of benchmarks within a pruned family that collapse apart: {sum(verdicts)} of {len(verdicts)} in that order"
    return _finding(claim, "points above half of the pairs", effect, ends, len(runs), basis)


def _height(point: dict[str, Any]) -> float:
    return math.inf if point["high"] is None else float(point["high"])


def _harder(one: dict[str, Any], other: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The harder of two benchmarks first: the one with the lower dense accuracy, where chance does not explain that."""
    if any(get(point["benchmark"]).kind == "knowledge" for point in (one, other)):
        return None
    low, high = sorted((one, other), key=lambda p: p["curve"][0]["score"])
    apart = low["curve"][0]["score_ci"][1] < high["curve"][0]["score_ci"][0]
    return (low, high) if apart else None


def _knowledge_first(one: dict[str, Any], other: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    first, second = (get(point["benchmark"]).kind for point in (one, other))
    if first == second:
        return None
    return (one, other) if first == "knowledge" else (other, one)


def _shorter(ends: Sequence[dict[str, Any]]) -> Finding:
    """The paper's plain comparison: score of the shortest 30 % minus that of the longest."""
    cells = [row for row in ends if row["k"] > 0]
    parts = []
    for row in cells:
        name = "accuracy" if "accuracy" in row["short"] else "f1"
        for sign, end in ((1, "short"), (-1, "long")):
            share, error = share_and_error(row[end][name] / 100 * row["k"], row["k"])
            parts.append((sign / len(cells), share, error))
    effect, interval = _normal(parts) if parts else (None, None)
    basis = "score of the shortest 30 % of outputs minus that of the longest 30 %, mean over runs; difficulty is not held fixed"
    return _finding("Shorter outputs are more accurate", "points", effect, interval, len(cells), basis)


def _within_questions(runs: Sequence[Run]) -> Finding:
    """Pairs of a right and a wrong sample of one question: how often the right one is the shorter."""
    shares: Counter[float] = Counter()
    for run in runs:
        for share, questions in run.digest.within:
            shares[share] += questions
    n = sum(shares.values())
    interval = bootstrap_mean(list(shares), list(shares.values())) if n >= FEWEST_QUESTIONS else None
    effect = 100 * sum(share * questions for share, questions in shares.items()) / n - 50 if n else None
    ends = [100 * end - 50 for end in interval] if interval else None
    basis = f"pairs of a right and a wrong sample of the same question, {n} questions; difficulty is held fixed"
    claim = "Shorter outputs are more accurate within a question"
    return _finding(claim, "points above half of the pairs", effect, ends, sum(bool(r.digest.within) for r in runs), basis)


def ranking(runs: Sequence[Scored]) -> list[dict[str, Any]]:
    """Methods by what they cost: {method, kind, variants, runs, reasoning, reasoning_ci, knowledge, knowledge_ci}.

    The change of accuracy (reasoning) and of F1 (knowledge) against the dense model of the same name and origin on the same
    benchmarks, mean over runs; None where nothing can be compared. The least loss of accuracy comes first.
    """
    dense: dict[tuple[str, str, str], Scored] = {}
    for one in runs:
        if one.kind == "dense":
            dense.setdefault(one.dense, one)
    pairs = [(one, dense[one.dense]) for one in runs if one.kind != "dense" and one.dense in dense]
    rows = []
    for (name, kind), group in sorted(_grouped(pairs, lambda pair: (pair[0].method, pair[0].kind)).items()):
        row: dict[str, Any] = {"method": name, "kind": kind}
        row |= {"variants": len({one.run.variant for one, _ in group}), "runs": len(group)}
        for title in get_args(BenchmarkKind):
            part = [pair for pair in group if get(pair[0].run.benchmark).kind == title]
            change, ends = _change(part) if part else (None, None)
            row |= {title: change, f"{title}_ci": list(ends) if ends else None}
        rows.append(row)
    return sorted(rows, key=lambda row: -math.inf if row["reasoning"] is None else row["reasoning"], reverse=True)


def _change(pairs: Sequence[tuple[Scored, Scored]]) -> tuple[float, tuple[float, float]]:
    """Mean of score minus dense score; a dense run that serves several variants counts once, with their weight."""
    n = len(pairs)
    parts = [(1 / n, one.score, one.error) for one, _ in pairs]
    for same in _grouped((start for _, start in pairs), lambda start: start.dense).values():
        parts.append((-len(same) / n, same[0].score, same[0].error))
    return _normal(parts)
