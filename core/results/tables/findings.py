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
from typing import TypeVar

from benchmarks.base import Kind as BenchmarkKind
from benchmarks.registry import get
from core.compress.methods import Kind, method
from core.results.rows import Finding, Findings, LengthRow, PointRow, RankingRow, Verdict
from core.results.run_summary import RunSummary
from core.results.runs import Run, certain_runs, one_picture
from core.results.stats import Z, bootstrap_mean, wilson
from core.results.tables.collapse_points import points
from core.results.tables.lengths import lengths_rows

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

FEWEST_PAIRS = 3
FEWEST_QUESTIONS = 10

FirstFalls = Callable[[PointRow, PointRow], tuple[PointRow, PointRow] | None]
"""Of two collapse points the one that a claim expects to come first, then the other; None where it expects nothing."""


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


def findings(connection: sqlite3.Connection) -> Findings:
    """{claims: [{claim, verdict, effect, effect_ci, unit, runs, basis}], ranking: [...]}; percentage points where not told.

    Verdicts: supported, contradicted, inconclusive, not enough data.
    """
    with one_picture(connection):
        runs = certain_runs(connection)
        ends = lengths_rows(connection, 30)
    scored = [_scored(run) for run in runs if run.summary.finished]
    curves = points(connection, runs)
    claims = [
        _knowledge(scored),
        _order(curves, "Harder tasks collapse at lower sparsity", _harder),
        _order(curves, "Pruning loses knowledge before reasoning", _knowledge_first),
        _shorter(ends),
        _within_questions(runs),
    ]
    return {"claims": claims, "ranking": ranking(scored)}


def _scored(run: Run) -> Scored:
    summary, what = run.summary, method(run.compression)
    share = share_and_error(summary.credit, summary.finished) if run.metric == "accuracy" else _mean_and_error(summary)
    return Scored(run, *share, what.kind, what.name)


def share_and_error(hits: float, n: float) -> tuple[float, float]:
    """A share, and its standard error with two successes and two failures added, which is not 0 at the ends."""
    adjusted = (hits + 2) / (n + 4)
    return hits / n, math.sqrt(adjusted * (1 - adjusted) / (n + 4))


def _mean_and_error(summary: RunSummary) -> tuple[float, float]:
    n, mean = summary.finished, summary.score / summary.finished
    floor = 1 / (n + 4)  # as of a share without a hit: no run is without doubt
    return mean, math.sqrt(max(summary.squares / n - mean**2, floor) / n)


def _finding(claim: str, unit: str, effect: float | None, ends: Sequence[float] | None, runs: int, basis: str) -> Finding:
    """A claim of an effect above 0."""
    verdict: Verdict
    if effect is None or ends is None:
        verdict = "not enough data"
    else:
        verdict = "supported" if ends[0] > 0 else "contradicted" if ends[1] < 0 else "inconclusive"
    return {
        "claim": claim,
        "verdict": verdict,
        "effect": effect,
        "effect_ci": list(ends) if ends else None,
        "unit": unit,
        "runs": runs,
        "basis": basis,
    }


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
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(of(item), []).append(item)
    return groups


def _order(curves: Sequence[PointRow], claim: str, first_falls: FirstFalls) -> Finding:
    """The share of pairs of benchmarks within a family in which the one that should collapse first does."""
    known = [p for p in curves if p["state"] in ("collapsed", "intact")]
    verdicts: list[bool] = []
    runs: set[int | None] = set()
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


def _height(point: PointRow) -> float:
    return math.inf if point["high"] is None else float(point["high"])


def _harder(one: PointRow, other: PointRow) -> tuple[PointRow, PointRow] | None:
    """The harder of two benchmarks first: the one with the lower dense accuracy, where chance does not explain that."""
    if any(get(point["benchmark"]).kind == "knowledge" for point in (one, other)):
        return None
    low, high = sorted((one, other), key=lambda p: p["curve"][0]["score"])
    apart = low["curve"][0]["score_ci"][1] < high["curve"][0]["score_ci"][0]
    return (low, high) if apart else None


def _knowledge_first(one: PointRow, other: PointRow) -> tuple[PointRow, PointRow] | None:
    first, second = (get(point["benchmark"]).kind for point in (one, other))
    if first == second:
        return None
    return (one, other) if first == "knowledge" else (other, one)


def _shorter(ends: Sequence[LengthRow]) -> Finding:
    """The paper's plain comparison: score of the shortest 30 % minus that of the longest."""
    cells = [row for row in ends if row["k"] > 0]
    parts = []
    for row in cells:
        for sign, end in ((1, row["short"]), (-1, row["long"])):
            score = end["accuracy"] if "accuracy" in end else end["f1"]
            assert score is not None
            parts.append((sign / len(cells), *share_and_error(score / 100 * row["k"], row["k"])))
    effect, interval = _normal(parts) if parts else (None, None)
    basis = "score of the shortest 30 % of outputs minus that of the longest 30 %, mean over runs; difficulty is not held fixed"
    return _finding("Shorter outputs are more accurate", "points", effect, interval, len(cells), basis)


def _within_questions(runs: Sequence[Run]) -> Finding:
    """Pairs of a right and a wrong sample of one question: how often the right one is the shorter."""
    shares: Counter[float] = Counter()
    for run in runs:
        for share, questions in run.summary.within:
            shares[share] += questions
    n = sum(shares.values())
    interval = bootstrap_mean(list(shares), list(shares.values())) if n >= FEWEST_QUESTIONS else None
    effect = 100 * sum(share * questions for share, questions in shares.items()) / n - 50 if n else None
    ends = [100 * end - 50 for end in interval] if interval else None
    basis = f"pairs of a right and a wrong sample of the same question, {n} questions; difficulty is held fixed"
    claim = "Shorter outputs are more accurate within a question"
    return _finding(claim, "points above half of the pairs", effect, ends, sum(bool(r.summary.within) for r in runs), basis)


def ranking(runs: Sequence[Scored]) -> list[RankingRow]:
    """Methods by what they cost: {method, kind, variants, runs, reasoning, reasoning_ci, knowledge, knowledge_ci}.

    The change of accuracy (reasoning) and of F1 (knowledge) against the dense model of the same name and origin on the same
    benchmarks, mean over runs; None where nothing can be compared. The least loss of accuracy comes first.
    """
    dense: dict[tuple[str, str, str], Scored] = {}
    for one in runs:
        if one.kind == "dense":
            dense.setdefault(one.dense, one)
    pairs = [(one, dense[one.dense]) for one in runs if one.kind != "dense" and one.dense in dense]
    rows: list[RankingRow] = []
    for (name, kind), group in sorted(_grouped(pairs, lambda pair: (pair[0].method, pair[0].kind)).items()):
        reasoning, reasoning_ends = _change(group, "reasoning")
        knowledge, knowledge_ends = _change(group, "knowledge")
        rows.append(
            {
                "method": name,
                "kind": kind,
                "variants": len({one.run.variant for one, _ in group}),
                "runs": len(group),
                "reasoning": reasoning,
                "reasoning_ci": reasoning_ends,
                "knowledge": knowledge,
                "knowledge_ci": knowledge_ends,
            }
        )
    return sorted(rows, key=lambda row: -math.inf if row["reasoning"] is None else row["reasoning"], reverse=True)


def _change(group: Sequence[tuple[Scored, Scored]], kind: BenchmarkKind) -> tuple[float, list[float]] | tuple[None, None]:
    """Mean of score minus dense score on one kind of benchmark, and its interval; a dense run that serves several variants
    counts once, with their weight."""
    pairs = [pair for pair in group if get(pair[0].run.benchmark).kind == kind]
    if not pairs:
        return None, None
    n = len(pairs)
    parts = [(1 / n, one.score, one.error) for one, _ in pairs]
    for same in _grouped((start for _, start in pairs), lambda start: start.dense).values():
        parts.append((-len(same) / n, same[0].score, same[0].error))
    change, ends = _normal(parts)
    return change, list(ends)
