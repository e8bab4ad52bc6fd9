"""Lengths: how the shortest and the longest q % of the finished responses score, and how much longer the long ones are.

Length is words of thinking plus answer. A response that was cut at its limit or stopped for repetition would have gone
on: its length is censored. It ranks among the longest, and one that was stopped for repetition counts with the words
that its loop would have added up to the limit.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.registry import get
from core.analysis.loops import words_ahead
from core.analysis.runs import finished_responses, one_picture, plain, shown_runs
from core.errors import UsageError

_METRICS = ("accuracy", "em", "f1")


@dataclass(frozen=True, slots=True)
class Ends:
    """How much each response belongs to the `k` shortest and to the `k` longest: shares from 0 to 1."""

    k: int
    shortest: np.ndarray
    longest: np.ndarray


def ends(words: Sequence[float], censored: Sequence[bool], q: float) -> Ends:
    """The shortest and longest floor(q N) of N responses, `q` in percent.

    Censored responses tie at the limit, above all others. Of responses that tie for the last places each belongs with
    its share, so that no order of storage decides. Raises UsageError unless 0 < q <= 50, where the ends do not overlap.
    """
    if not 0 < q <= 50:
        raise UsageError(f"The shortest and longest {q:g} % make no two groups.", "Choose q above 0 and up to 50.")
    k = math.floor(q * len(words) / 100 + 1e-9)
    ranks = np.where(np.asarray(censored, dtype=bool), np.inf, np.asarray(words, dtype=float))
    return Ends(k, _first(k, ranks), _first(k, -ranks))


def _first(k: float, ranks: np.ndarray) -> np.ndarray:
    """The share with which each rank belongs to the `k` lowest."""
    _, group, sizes = np.unique(ranks, return_inverse=True, return_counts=True)
    before = np.cumsum(sizes) - sizes
    shares: np.ndarray = np.clip((k - before) / sizes, 0.0, 1.0)[group]
    return shares


def lengths(connection: sqlite3.Connection, q: float = 30) -> pd.DataFrame:
    """One row for each variant, engine and benchmark that has finished responses.

    Columns: `variant`, `label`, `engine`, `benchmark`, `q`, `k` (responses at each end), `short_words` and `long_words` (mean
    lengths), `short_*` and `long_*` for `accuracy` or `em` and `f1` (percent, NaN where they do not apply), `ratio`,
    `censored` (how many lengths are), `n` (finished), `run`, `thinking_words` and `answer_words` (means over all). NaN where
    floor(q N) is 0.
    """
    with one_picture(connection):
        runs = shown_runs(connection)
        runs = runs[runs["finished"] > 0]
        responses = finished_responses(connection, [int(run) for run in runs["run"]])
    by_run = dict(iter(responses.groupby("run")))
    rows = [_row(run, by_run[run["run"]], q) for run in runs.to_dict("records")]
    return pd.DataFrame(rows, columns=_COLUMNS)


_COLUMNS = ["variant", "label", "engine", "benchmark", "q", "k", "short_words", "long_words"]
_COLUMNS += [f"{end}_{metric}" for end in ("short", "long") for metric in _METRICS] + ["ratio", "censored", "n"]
_COLUMNS += ["thinking_words", "answer_words", "run"]


def _row(run: dict[Any, Any], responses: pd.DataFrame, q: float) -> dict[str, Any]:
    censored = responses["reason"].isin(["length", "repetition"])
    whole = responses["words"] + words_ahead(responses)
    found = ends(responses["words"].tolist(), censored.tolist(), q)
    row = {
        **{name: run[name] for name in ("variant", "label", "engine", "benchmark", "run")},
        **{"q": q, "k": found.k, "censored": int(censored.sum()), "n": len(responses)},
        **{f"{part}_words": float(responses[part].mean()) for part in ("thinking", "answer")},
    }
    if found.k == 0:
        return row
    metrics = {"accuracy": "correct"} if get(run["benchmark"]).metric == "accuracy" else {"em": "em", "f1": "f1"}
    for end, shares in (("short", found.shortest), ("long", found.longest)):
        row[f"{end}_words"] = float(shares @ whole) / found.k
        for name, column in metrics.items():
            row[f"{end}_{name}"] = 100 * float(shares @ responses[column]) / found.k
    row["ratio"] = row["long_words"] / row["short_words"] if row["short_words"] else math.nan
    return row


def lengths_rows(connection: sqlite3.Connection, q: float = 30) -> list[dict[str, Any]]:
    """What `lrm-tui lengths --json` prints: one object for each variant (and engine) and benchmark."""
    return [_json(row) for row in lengths(connection, q).to_dict("records")]


def _json(row: dict[Any, Any]) -> dict[str, Any]:
    metrics = ["accuracy"] if get(row["benchmark"]).metric == "accuracy" else ["em", "f1"]
    return {
        **{name: plain(row[name]) for name in ("variant", "label", "engine", "benchmark", "q", "k")},
        **{end: {name: plain(row[f"{end}_{name}"]) for name in ("words", *metrics)} for end in ("short", "long")},
        **{name: plain(row[name]) for name in ("ratio", "censored", "n", "thinking_words", "answer_words", "run")},
    }


def deciles(connection: sqlite3.Connection) -> pd.DataFrame:
    """Ten rows for each variant, engine and benchmark that has finished responses: the tenths by length, shortest first.

    Columns: `variant`, `label`, `engine`, `benchmark`, `n`, `decile` (1 to 10), `words` (mean), `score` (percent correct,
    or F1). Censored lengths rank at the limit; responses that tie count in each tenth with their share.
    """
    with one_picture(connection):
        runs = shown_runs(connection)
        runs = runs[runs["finished"] > 0]
        responses = finished_responses(connection, [int(run) for run in runs["run"]])
    by_run = dict(iter(responses.groupby("run")))
    rows = [row for run in runs.to_dict("records") for row in _tenths(run, by_run[run["run"]])]
    return pd.DataFrame(rows, columns=["variant", "label", "engine", "benchmark", "n", "decile", "words", "score"])


def _tenths(run: dict[Any, Any], responses: pd.DataFrame) -> list[dict[str, Any]]:
    censored = responses["reason"].isin(["length", "repetition"])
    ranks = np.where(censored, np.inf, responses["words"].astype(float))
    whole = responses["words"] + words_ahead(responses)
    scored = responses["correct" if get(run["benchmark"]).metric == "accuracy" else "f1"]
    size = len(responses) / 10
    below = [_first(size * place, ranks) for place in range(11)]
    about = {**{name: run[name] for name in ("variant", "label", "engine", "benchmark")}, "n": len(responses)}
    rows = []
    for place in range(10):
        shares = below[place + 1] - below[place]
        tenth = {"words": float(shares @ whole) / size, "score": 100 * float(shares @ scored) / size}
        rows.append({**about, "decile": place + 1, **tenth})
    return rows


def deciles_rows(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """What `lrm-tui lengths --deciles --json` prints: one object for each variant (and engine) and benchmark."""
    found = deciles(connection)
    groups = found.groupby(["variant", "label", "engine", "benchmark", "n"], sort=False)
    names = ("variant", "label", "engine", "benchmark", "n")
    return [
        {
            **{name: plain(value) for name, value in zip(names, key, strict=True)},
            "deciles": [{"words": plain(row["words"]), "score": plain(row["score"])} for row in group.to_dict("records")],
        }
        for key, group in groups
    ]
