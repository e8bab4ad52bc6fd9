"""Compressed variants beside the dense model, on the same questions: what is left of the score, how much longer outputs are.

Recovery is the score (accuracy, or F1) over the dense one's; its *noise floor* is where a second run of the dense model would
lie by chance. Inflation is the geometric mean of the questions' ratios of tokens; where one side has no counted tokens, of
words. What an output that was stopped for repetition would have added up to its limit counts as its tokens.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import numpy as np

from core.compress.methods import method
from core.results.endings import was_cut
from core.results.questions import Questions, by_question
from core.results.rows import RecoveryCell, ScoreCell, ScoreRow
from core.results.runs import Run, one_picture, responses_of, shown_runs
from core.results.stats import Inflation, Interval, inflation, recovery

HALF = 0.5
"""A question with several samples counts as right where more than so many are."""


def with_recovery(connection: sqlite3.Connection, rows: Sequence[ScoreRow]) -> list[ScoreRow]:
    """Rows of `scores_rows`, with recovery in each cell of a compressed variant whose dense model was asked alike.

    That is `dense` (label) and `dense_run`, `paired` (questions that both have), `recovery`, `recovery_ci` and `recovery_floor`
    in percent (None where the dense score is within noise of 0), `inflation` with `inflation_ci` (times), the same of the
    questions that both got right (`inflation_right`, of so many: `inflation_right_n`) and that both got wrong
    (`inflation_wrong`), `inflation_unit` (tokens or words), and `inflation_cut`: outputs of either that were cut, whose lengths
    are lower bounds. Alike means the same model, protocol and benchmark, and both measured here or both imported.
    """
    with one_picture(connection):
        pairs = dense_pairs(run for run in shown_runs(connection) if run.summary.n and run.doubt is None)
        responses = responses_of(connection, {run.run: run for pair in pairs for run in pair}.values())
    cells = {run.run: _cell(dense, responses[run.run], responses[dense.run]) for run, dense in pairs}
    return [{**row, "benchmarks": {n: _with(cell, cells) for n, cell in row["benchmarks"].items()}} for row in rows]


def _with(cell: ScoreCell, cells: dict[int, RecoveryCell | None]) -> ScoreCell:
    more = cells.get(cell["run"]) if cell["run"] is not None else None
    return {**cell, **more} if more else cell


def dense_pairs(runs: Iterable[Run]) -> list[tuple[Run, Run]]:
    """Compressed rows, each with the dense row of its model that was asked alike: on the same engine, else the first."""
    every = list(runs)
    dense = [run for run in every if method(run.compression).kind == "dense"]
    pairs = []
    for run in every:
        alike = [other for other in dense if _asked(other) == _asked(run)] if run not in dense else []
        if alike:
            pairs.append((run, min(alike, key=lambda other: (other.engine != run.engine, other.rank))))
    return pairs


def _asked(run: Run) -> tuple[object, ...]:
    return run.model, run.origin, run.benchmark, run.protocol


def _cell(dense: Run, over: np.ndarray, under: np.ndarray) -> RecoveryCell | None:
    """None where the two share no question."""
    shared = np.intersect1d(over["item"], under["item"])
    if not len(shared):
        return None
    over, under = (rows[np.isin(rows["item"], shared)] for rows in (over, under))
    one, other = Questions.of(over), Questions.of(under)
    kept = recovery(one.score, other.score, other.samples)
    tokens = bool(over["counted"].all() and under["counted"].all())
    lengths = [by_question(rows, _lengths(rows, tokens))[0] for rows in (over, under)]
    known = (lengths[0] > 0) & (lengths[1] > 0)
    right, also = one.credit > HALF, other.credit > HALF
    cell: RecoveryCell = {
        "dense": dense.label,
        "dense_run": dense.run,
        "paired": len(shared),
        "recovery": 100 * kept.ratio if kept else None,
        "recovery_ci": _percents(kept.interval) if kept else None,
        "recovery_floor": _percents(kept.floor) if kept else None,
        "inflation_unit": "tokens" if tokens else "words",
        "inflation_cut": int(was_cut(over).sum() + was_cut(under).sum()),
    }
    cell["inflation"], cell["inflation_ci"] = _times(inflation(lengths[0][known], lengths[1][known]))
    for_both = known & right & also
    cell["inflation_right_n"] = int(for_both.sum())
    cell["inflation_right"], cell["inflation_right_ci"] = _times(inflation(lengths[0][for_both], lengths[1][for_both]))
    for_none = known & ~right & ~also
    cell["inflation_wrong_n"] = int(for_none.sum())
    cell["inflation_wrong"], cell["inflation_wrong_ci"] = _times(inflation(lengths[0][for_none], lengths[1][for_none]))
    return cell


def _lengths(rows: np.ndarray, tokens: bool) -> np.ndarray:
    """Tokens or words of each response, [responses], with what a stopped one would have added."""
    length: np.ndarray = rows["tokens"] + rows["tokens_ahead"] if tokens else rows["thinking"] + rows["answer"] + rows["ahead"]
    return length


def _percents(interval: Interval) -> list[float]:
    return [100 * end for end in interval]


def _times(ratio: Inflation | None) -> tuple[float | None, list[float] | None]:
    return (ratio.ratio, list(ratio.interval) if ratio.interval else None) if ratio else (None, None)
