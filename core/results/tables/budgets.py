"""Budget curves: the score under every smaller token limit, read off responses that were made under a larger one.

A response that ended within a limit is the same under it; one that did not would have been cut, and earns nothing. So the curve
is what the same outputs are worth under less, without forcing an answer at the limit.
"""

from __future__ import annotations

import sqlite3

import numpy as np

from core.results.questions import by_question
from core.results.rows import BudgetPoint, BudgetRow, Unit
from core.results.runs import Run, main_runs, one_picture, responses_of
from core.results.tables.lengths import words_of

STEPS = 24


def budget_rows(connection: sqlite3.Connection) -> list[BudgetRow]:
    """By main row: {label, benchmark, run, unit, points: [{limit, score}]}; `unit` is words where tokens were not counted.

    Limits rise by equal ratios from the shortest response to the longest one that ended by itself; a score is percent.
    """
    with one_picture(connection):
        runs = [run for run in main_runs(connection) if run.summary.n]
        responses = responses_of(connection, runs)
    return [row for run in runs if (row := _row(run, responses[run.run])) is not None]


def _row(run: Run, rows: np.ndarray) -> BudgetRow | None:
    counted = bool(rows["counted"].all())
    lengths = rows["tokens"].astype(float) if counted else np.asarray(words_of(rows), dtype=float)
    ended = lengths[~rows["censored"]]
    if not len(ended):
        return None
    unit: Unit = "tokens" if counted else "words"
    limits = np.unique(np.geomspace(max(1.0, ended.min()), max(2.0, ended.max()), STEPS).round())
    points: list[BudgetPoint] = [{"limit": float(limit), "score": 100 * _score(rows, lengths, limit)} for limit in limits]
    return {"label": run.label, "benchmark": run.benchmark, "run": run.run, "unit": unit, "points": points}


def _score(rows: np.ndarray, lengths: np.ndarray, limit: float) -> float:
    worth = np.where(~rows["censored"] & (lengths <= limit), rows["score"], 0.0)
    return float(by_question(rows, worth)[0].mean())
