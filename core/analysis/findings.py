"""The paper's claims as tests over the store, and the ranking of methods.

Each claim has an effect, its 95 % interval, a verdict and the runs behind it. Variants are compared within one model and
one origin only. Intervals tell of the responses' chance (every run's score with its standard error, the adjusted Wald one
for shares), not of which variants somebody chose to run. Length and correctness are confounded by difficulty: beside the
paper's plain comparison of short and long outputs stands one within questions that were asked several times.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.registry import get
from core.analysis.collapse_points import points
from core.analysis.intervals import Z, bootstrap_mean, wilson
from core.analysis.lengths import lengths
from core.analysis.methods import method
from core.analysis.runs import f1_values, one_picture, samples, shown_runs

FEWEST_PAIRS = 3
FEWEST_QUESTIONS = 10

Finding = dict[str, Any]


def findings(connection: sqlite3.Connection) -> dict[str, Any]:
    """{claims: [{claim, verdict, effect, effect_ci, unit, runs, basis}], ranking: [...]}; percentage points where not told.

    Verdicts: supported, contradicted, inconclusive, not enough data.
    """
    with one_picture(connection):
        runs = scored_runs(connection)
        ends = lengths(connection, 30)
        found = points(connection, shown_runs(connection))
        repeated = samples(connection, [int(run) for run in runs.loc[runs["last_sample"] > 0, "run"]])
    claims = [
        _knowledge(runs),
        _order(found, "Harder tasks collapse at lower sparsity", _harder),
        _order(found, "Pruning loses knowledge before reasoning", _knowledge_first),
        _shorter(ends),
        _within_questions(repeated),
    ]
    return {"claims": claims, "ranking": ranking(runs)}


def scored_runs(connection: sqlite3.Connection) -> pd.DataFrame:
    """The runs that the tables show, with `score` (accuracy or F1, 0 to 1), its standard error `error`, and `kind`."""
    runs = shown_runs(connection)
    runs = runs[runs["finished"] > 0].reset_index(drop=True)
    runs["metric"] = [get(name).metric for name in runs["benchmark"]]
    f1 = f1_values(connection, [int(run) for run in runs.loc[runs["metric"] == "em_f1", "run"]])
    means = {run: _mean_and_error(group) for run, group in f1.groupby("run")}
    scores = [
        means[row["run"]] if row["metric"] == "em_f1" else share_and_error(row["correct"], row["finished"])
        for row in runs.to_dict("records")
    ]
    runs["kind"] = [method(name).kind for name in runs["compression"]]
    runs["method"] = [method(name).name for name in runs["compression"]]
    return runs.assign(score=[s for s, _ in scores], error=[e for _, e in scores])


def share_and_error(hits: float, n: float) -> tuple[float, float]:
    """A share, and its standard error with two successes and two failures added, which is not 0 at the ends."""
    adjusted = (hits + 2) / (n + 4)
    return hits / n, math.sqrt(adjusted * (1 - adjusted) / (n + 4))


def _mean_and_error(values: pd.DataFrame) -> tuple[float, float]:
    n = values["responses"].sum()
    mean = float((values["f1"] * values["responses"]).sum() / n)
    variance = float((values["responses"] * (values["f1"] - mean) ** 2).sum() / n)
    floor = 1 / (n + 4)  # as of a share without a hit: no run is without doubt
    return mean, math.sqrt(max(variance, floor) / n)


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


def _knowledge(runs: pd.DataFrame) -> Finding:
    """Quantized minus pruned variants of one model, on the benchmarks of knowledge."""
    known = runs[(runs["metric"] == "em_f1") & runs["kind"].isin(["quantization", "pruning"])]
    cells = [g for _, g in known.groupby(["model", "origin", "benchmark"]) if g["kind"].nunique() == 2]
    parts = [
        (
            (1 if row["kind"] == "quantization" else -1) / (group["kind"] == row["kind"]).sum() / len(cells),
            row["score"],
            row["error"],
        )
        for group in cells
        for row in group.to_dict("records")
    ]
    effect, ends = _normal(parts) if cells else (None, None)
    basis = f"mean F1 of quantized minus that of pruned variants of the same model, {len(cells)} models and benchmarks"
    claim = "Quantization keeps knowledge better than pruning"
    return _finding(claim, "points of F1", effect, ends, sum(map(len, cells)), basis)


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
    if "accuracy" not in {get(p["benchmark"]).metric for p in (one, other)} or "em_f1" in {
        get(p["benchmark"]).metric for p in (one, other)
    }:
        return None
    low, high = sorted((one, other), key=lambda p: p["curve"][0]["score"])
    apart = low["curve"][0]["score_ci"][1] < high["curve"][0]["score_ci"][0]
    return (low, high) if apart else None


def _knowledge_first(one: dict[str, Any], other: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    metrics = [get(p["benchmark"]).metric for p in (one, other)]
    if sorted(metrics) != ["accuracy", "em_f1"]:
        return None
    return (one, other) if metrics[0] == "em_f1" else (other, one)


def _shorter(ends: pd.DataFrame) -> Finding:
    """The paper's plain comparison: score of the shortest 30 % minus that of the longest."""
    cells = ends[ends["k"] > 0]
    parts = []
    for row in cells.to_dict("records"):
        name = "accuracy" if get(row["benchmark"]).metric == "accuracy" else "f1"
        for sign, end in ((1, "short"), (-1, "long")):
            share, error = share_and_error(row[f"{end}_{name}"] / 100 * row["k"], row["k"])
            parts.append((sign / len(cells), share, error))
    effect, interval = _normal(parts) if parts else (None, None)
    basis = "score of the shortest 30 % of outputs minus that of the longest 30 %, mean over runs; difficulty is not held fixed"
    return _finding("Shorter outputs are more accurate", "points", effect, interval, len(cells), basis)


def _within_questions(answers: pd.DataFrame) -> Finding:
    """Pairs of a right and a wrong sample of one question: how often the right one is the shorter."""
    shares = []
    for _, group in answers.groupby(["run", "item"]):
        right, wrong = (group.loc[group["correct"] == value, "words"].to_numpy(dtype=float) for value in (1, 0))
        if len(right) and len(wrong):
            gaps = wrong[None, :] - right[:, None]
            shares.append(float(np.mean(np.sign(gaps) + 1) / 2))
    interval = bootstrap_mean(shares, [1] * len(shares)) if len(shares) >= FEWEST_QUESTIONS else None
    effect = 100 * sum(shares) / len(shares) - 50 if shares else None
    ends = [100 * end - 50 for end in interval] if interval else None
    basis = f"pairs of a right and a wrong sample of the same question, {len(shares)} questions; difficulty is held fixed"
    runs = answers["run"].nunique() if len(shares) else 0
    claim = "Shorter outputs are more accurate within a question"
    return _finding(claim, "points above half of the pairs", effect, ends, runs, basis)


def ranking(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Methods by what they cost: {method, kind, variants, runs, reasoning, reasoning_ci, knowledge, knowledge_ci}.

    The change of accuracy (reasoning) and of F1 (knowledge) against the dense model of the same name and origin on the same
    benchmarks, mean over runs; None where nothing can be compared. The least loss of accuracy comes first.
    """
    key = ["model", "origin", "benchmark"]
    dense = runs[runs["kind"] == "dense"].drop_duplicates(key)[[*key, "score", "error"]]
    others = runs[runs["kind"] != "dense"].merge(dense, on=key, suffixes=("", "_dense"))
    rows = []
    for (name, kind), group in others.groupby(["method", "kind"]):
        row: dict[str, Any] = {"method": name, "kind": kind}
        row |= {"variants": int(group["variant"].nunique()), "runs": len(group)}
        for title, metric in (("reasoning", "accuracy"), ("knowledge", "em_f1")):
            part = group[group["metric"] == metric]
            change, ends = _change(part, key) if len(part) else (None, None)
            row |= {title: change, f"{title}_ci": list(ends) if ends else None}
        rows.append(row)
    return sorted(rows, key=lambda row: -math.inf if row["reasoning"] is None else row["reasoning"], reverse=True)


def _change(group: pd.DataFrame, key: list[str]) -> tuple[float, tuple[float, float]]:
    """Mean of score minus dense score; a dense run that serves several variants counts once, with their weight."""
    n = len(group)
    parts = [(1 / n, row["score"], row["error"]) for row in group.to_dict("records")]
    for _, same in group.groupby(key):
        parts.append((-len(same) / n, float(same["score_dense"].iloc[0]), float(same["error_dense"].iloc[0])))
    return _normal(parts)
