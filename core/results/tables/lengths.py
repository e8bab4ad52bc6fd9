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
from itertools import pairwise

import numpy as np

from core.errors import UsageError
from core.results.rows import DecileRow, LengthEnd, LengthRow, Tenth
from core.results.runs import Run, one_picture, responses_of, shown_runs


@dataclass(frozen=True, slots=True)
class Ends:
    """How much each response belongs to the `k` shortest and to the `k` longest: shares from 0 to 1."""

    k: int
    shortest: np.ndarray
    longest: np.ndarray


def ends(words: Sequence[float] | np.ndarray, censored: Sequence[bool] | np.ndarray, q: float) -> Ends:
    """The shortest and longest floor(q N) of N responses, `q` in percent.

    Censored responses tie at the limit, above all others. Of responses that tie for the last places each belongs with
    its share, so that no order of storage decides. Raises UsageError unless 0 < q <= 50, where the ends do not overlap.
    """
    if not 0 < q <= 50:
        raise UsageError(f"The shortest and longest {q:g} % make no two groups.", "Choose q above 0 and up to 50.")
    n, k = len(words), math.floor(q * len(words) / 100 + 1e-9)
    shortest, rest = _firsts(np.asarray(words), np.asarray(censored), [k, n - k])
    return Ends(k, shortest, 1.0 - rest)


def _firsts(words: np.ndarray, censored: np.ndarray, counts: Sequence[float]) -> list[np.ndarray]:
    """For each count the share with which each response belongs to so many shortest."""
    ranks = np.where(censored.astype(bool), np.inf, words.astype(float))
    _, group, sizes = np.unique(ranks, return_inverse=True, return_counts=True)
    before = np.cumsum(sizes) - sizes
    return [np.clip((count - before) / sizes, 0.0, 1.0)[group] for count in counts]


def lengths_rows(connection: sqlite3.Connection, q: float = 30) -> list[LengthRow]:
    """What `lrm-tui lengths --json` prints: one object for each variant (and engine) and benchmark with finished responses.

    {variant, label, model, compression, engine, benchmark, q, k (responses at each end), short and long: {words (mean),
    accuracy | em, f1} (percent), ratio, censored (how many lengths are), n (finished), questions, thinking_words and
    answer_words (means over all), run}; null where floor(q N) is 0.
    """
    return [_row(run, responses, q) for run, responses in _finished(connection)]


def _finished(connection: sqlite3.Connection) -> list[tuple[Run, np.ndarray]]:
    """The runs that the tables show, with their finished responses."""
    with one_picture(connection):
        runs = [run for run in shown_runs(connection) if run.summary.finished]
        responses = responses_of(connection, runs)
    return [(run, responses[run.run]) for run in runs]


def words_of(responses: np.ndarray) -> np.ndarray:
    """Words of thinking and answer, [responses]."""
    words: np.ndarray = responses["thinking"] + responses["answer"]
    return words


def _row(run: Run, responses: np.ndarray, q: float) -> LengthRow:
    cut, n = ends(words_of(responses), responses["censored"], q), len(responses)
    short, long = (at_end(run, responses, shares, cut.k) for shares in (cut.shortest, cut.longest))
    return {
        "variant": run.variant,
        "label": run.label,
        "model": run.model,
        "compression": run.compression,
        "engine": run.engine,
        "benchmark": run.benchmark,
        "q": q,
        "k": cut.k,
        "short": short,
        "long": long,
        "ratio": long["words"] / short["words"] if long["words"] is not None and short["words"] else None,
        "censored": run.summary.censored,
        "n": n,
        "questions": run.summary.n,
        "thinking_words": run.summary.thinking / n,
        "answer_words": run.summary.answer / n,
        "run": run.run,
    }


def at_end(run: Run, responses: np.ndarray, shares: np.ndarray, k: int) -> LengthEnd:
    """Mean words and percent of the `k` responses at one end, to which each belongs with its share."""

    def percent(column: str) -> float | None:
        return 100 * float(shares @ responses[column]) / k if k else None

    words = float(shares @ (words_of(responses) + responses["ahead"])) / k if k else None
    if run.metric == "accuracy":
        return {"words": words, "accuracy": percent("score")}
    return {"words": words, "em": percent("credit"), "f1": percent("score")}


def deciles_rows(connection: sqlite3.Connection) -> list[DecileRow]:
    """What `lrm-tui lengths --deciles --json` prints: one object for each variant (and engine) and benchmark.

    {variant, label, engine, benchmark, run, n, deciles: [{words (mean), score (percent correct, or F1)}]}, shortest
    tenth first. Censored lengths rank at the limit; responses that tie count in each tenth with their share.
    """
    return [
        {
            "variant": run.variant,
            "label": run.label,
            "engine": run.engine,
            "benchmark": run.benchmark,
            "run": run.run,
            "n": len(responses),
            "deciles": _tenths(responses),
        }
        for run, responses in _finished(connection)
    ]


def _tenths(responses: np.ndarray) -> list[Tenth]:
    size = len(responses) / 10
    below = _firsts(words_of(responses), responses["censored"], [size * place for place in range(11)])
    whole = words_of(responses) + responses["ahead"]
    shares = [after - before for before, after in pairwise(below)]
    return [{"words": float(s @ whole) / size, "score": 100 * float(s @ responses["score"]) / size} for s in shares]
