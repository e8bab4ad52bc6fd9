"""Scores: accuracy, or exact match and F1, of every variant on every benchmark, with their 95 % intervals.

Which runs are shown is told in `core.analysis.runs`. Accuracy and exact match are shares of the finished responses and
have Wilson intervals; F1 and averages have seeded bootstrap intervals (of no width where all values are equal). Where a
question was asked several times, scores are means over all samples, their intervals come from drawing questions (samples of
one question are no independent trials), and *pass at k* says how often one of k samples is right.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchmarks.registry import get
from core.analysis.audit import audits_of_stopped
from core.analysis.intervals import Interval, bootstrap_average, bootstrap_mean, bootstrap_questions, pass_at_k, wilson
from core.analysis.runs import by_question, f1_values, one_picture, plain, shown_runs

AVERAGES = (
    ("aime", "folio", "temporal"),
    ("pocket-arithmetic", "pocket-logic", "pocket-temporal"),
)
"""What *average* means: the paper's three accuracies; for a variant without them, the mini-suite's three."""

_VARIANT = [
    "variant",
    "label",
    "model",
    "family",
    "parameters",
    "compression",
    "bits_per_weight",
    "sparsity",
    "origin",
    "engine",
]
_COUNTS = ["n", "finished", "unparsed", "failed", "run"]


def scores(connection: sqlite3.Connection) -> pd.DataFrame:
    """One row for each variant, engine and benchmark.

    Columns: what identifies the variant, `origin`, `engine`, `benchmark`, `metric` (accuracy | em_f1), `run`; counts
    `n` (responses planned), `finished`, `unparsed` (finished without an answer), `failed` (errors and cancelled),
    `correct`; in percent, NaN where they do not apply, `accuracy`, `em`, `f1`, each with `_low` and `_high`, and
    `strict_em` and `strict_f1` (the whole answer part graded as it stands); where questions were asked several times, how
    many `questions`, the fewest `samples` that one has, and `pass_at_k` for that k.
    """
    with one_picture(connection):
        runs = shown_runs(connection)
        runs["metric"] = [get(name).metric for name in runs["benchmark"]]
        f1 = f1_values(connection, [int(run) for run in runs.loc[runs["metric"] == "em_f1", "run"]])
        questions = by_question(connection, [int(run) for run in runs.loc[runs["last_sample"] > 0, "run"]])
    values, sampled = dict(iter(f1.groupby("run"))), dict(iter(questions.groupby("run")))
    graded = [
        _graded(row, values.get(row["run"])) | _sampled(row["metric"], sampled.get(row["run"]))
        for row in runs.to_dict("records")
    ]
    numbers = pd.DataFrame(graded, columns=_NUMBERS, index=runs.index, dtype=float)
    kept = runs.drop(columns=["em", "strict_em", "strict_f1", "last_sample"])
    return pd.concat([kept, numbers], axis=1)


_NUMBERS = [f"{name}{end}" for name in ("accuracy", "em", "f1") for end in ("", "_low", "_high")]
_NUMBERS += ["strict_em", "strict_f1", "questions", "samples", "pass_at_k"]


def _graded(run: dict[Any, Any], f1: pd.DataFrame | None) -> dict[str, float]:
    """The numbers of one run, in percent."""
    n = int(run["finished"])
    if n == 0:
        return {}
    if run["metric"] == "accuracy":
        return _percent("accuracy", run["correct"] / n, wilson(run["correct"], n))
    assert f1 is not None
    mean = float((f1["f1"] * f1["responses"]).sum()) / n
    return (
        _percent("em", run["em"] / n, wilson(run["em"], n))
        | _percent("f1", mean, bootstrap_mean(f1["f1"].tolist(), f1["responses"].tolist()))
        | {"strict_em": 100 * run["strict_em"] / n, "strict_f1": 100 * run["strict_f1"] / n}
    )


def _sampled(metric: str, questions: pd.DataFrame | None) -> dict[str, float]:
    """What several samples a question change: the intervals, and the share of questions that k samples solve."""
    if questions is None:
        return {}
    n, k = questions["n"], int(questions["n"].min())
    hits = "correct" if metric == "accuracy" else "em"
    solved = [pass_at_k(round(c), int(m), k) for c, m in zip(questions[hits], n, strict=True)]
    found: dict[str, float] = {"questions": len(n), "samples": k, "pass_at_k": 100 * sum(solved) / len(solved)}
    for name, column in {"accuracy": {"accuracy": "correct"}, "em_f1": {"em": "em", "f1": "f1"}}[metric].items():
        interval = bootstrap_questions(questions[column].tolist(), n.tolist())
        assert interval is not None
        found |= {f"{name}_low": 100 * interval[0], f"{name}_high": 100 * interval[1]}
    return found


def _percent(name: str, value: float, interval: Interval | None) -> dict[str, float]:
    assert interval is not None
    return {name: 100 * value, f"{name}_low": 100 * interval[0], f"{name}_high": 100 * interval[1]}


def scores_rows(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """What `lrm-tui scores --json` prints: one object for each variant (and engine), percent from 0 to 100.

    `benchmarks` maps names to counts and scores; `average_of` names the three benchmarks behind `average`, both None
    until all three have finished responses. Where responses were stopped for repetition, which count as wrong, a cell says
    how many (`stopped`) and the score `corrected` by the audit, with `corrected_ci` (see `core.analysis.audit`).
    """
    frame = scores(connection)
    rows = [_row(group) for _, group in frame.groupby(["variant_id", "engine"], sort=False)]
    audits = audits_of_stopped(connection, {int(k): str(v) for k, v in zip(frame["run"], frame["metric"], strict=True)})
    for cell in (cell for row in rows for cell in row["benchmarks"].values() if cell["run"] in audits):
        found = audits[cell["run"]]
        ends = found.corrected_interval
        cell["stopped"] = found.stopped
        cell["corrected"] = None if found.corrected is None else 100 * found.corrected
        cell["corrected_ci"] = None if ends is None else [100 * ends[0], 100 * ends[1]]
    return rows


def by_benchmark(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each variant and benchmark, as CSV wants them."""
    return [
        {**{k: v for k, v in row.items() if k != "benchmarks"}, "benchmark": name, **cell}
        for row in rows
        for name, cell in row["benchmarks"].items()
    ]


def _row(group: pd.DataFrame) -> dict[str, Any]:
    cells = {str(row["benchmark"]): _cell(row) for row in group.to_dict("records")}
    first = group.iloc[0]
    average, interval, of = _average(group)
    return {
        **{name: plain(first[name]) for name in _VARIANT},
        "benchmarks": cells,
        "average": average,
        "average_ci": interval,
        "average_of": of,
    }


def _cell(row: dict[Any, Any]) -> dict[str, Any]:
    cell: dict[str, Any] = {name: plain(row[name]) for name in _COUNTS}
    for name in ("accuracy",) if row["metric"] == "accuracy" else ("em", "f1"):
        cell[name] = plain(row[name])
        cell[f"{name}_ci"] = None if cell[name] is None else [plain(row[f"{name}_low"]), plain(row[f"{name}_high"])]
    if row["metric"] == "em_f1":
        cell |= {name: plain(row[name]) for name in ("strict_em", "strict_f1")}
    if not pd.isna(row["samples"]):
        cell |= {"samples": int(row["samples"]), "pass_at_k": plain(row["pass_at_k"])}
    return cell


def _average(group: pd.DataFrame) -> tuple[float | None, list[float] | None, list[str] | None]:
    by_name = group.set_index("benchmark")
    for parts in AVERAGES:
        if not set(parts) <= set(by_name.index):
            continue
        rows = by_name.loc[list(parts)]
        asked = rows["questions"].fillna(rows["finished"])  # samples of one question are no independent trials
        shares = [(c * m / n if n else 0.0, int(m)) for c, n, m in zip(rows["correct"], rows["finished"], asked, strict=True)]
        interval = bootstrap_average(shares)
        if interval is not None:
            return float(rows["accuracy"].mean()), [100 * interval[0], 100 * interval[1]], list(parts)
    return None, None, None
