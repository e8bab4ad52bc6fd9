"""What the tables need of one run: counts, sums and resampled intervals, and its finished responses as packed numbers.

A summary is computed from the responses alone, so that it can be cached for a run that has ended and deleted whenever one of
the run's responses changes (`summary_cache`). A response is finished when it ended by itself, at its limit, or was stopped for
repetition. One that was stopped for repetition counts as wrong, whatever it contains. A verdict by hand replaces the grader's
in accuracy, EM and F1 (all or nothing); the strict scores stay the grader's.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from benchmarks.registry import get
from core.results.loop_words import Looped
from core.results.stats import Interval, bootstrap_mean, bootstrap_questions, pass_at_k

VERSION = 3
"""Version of the fields of `RunSummary`; a cached summary of another version is computed again."""

FINISHED = "coalesce(r.finish_reason IN ('stop', 'length', 'repetition'), 0)"
_SCORED = "coalesce(r.finish_reason IN ('stop', 'length'), 0)"
CREDIT = f"{_SCORED} * coalesce(r.hand, r.correct, r.em, 0.0)"
SCORE = f"{_SCORED} * coalesce(r.hand, r.f1, r.correct, 0.0)"

ROW = np.dtype([("words", "<i4"), ("censored", "?"), ("ahead", "<f8"), ("score", "<f8"), ("em", "<f8")])
"""A finished response: `words` so far; `censored`: whether it was cut there; `ahead`: the words that a stopped one would have
added up to its token limit; `score` (correct, or F1) and `em`, each 0 to 1 (0 for one that was stopped)."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """Counts, sums and intervals of one run. Sums are over its finished responses; shares and intervals run from 0 to 1.

    `credit`: 1 for a correct response or an exact match, else 0; `score`: credit, or F1 where the benchmark has it; `squares`:
    the squared scores. `by_hand`: responses that a person graded. `thinking` and `answer`: words. `censored`: responses cut
    before their own end. `uncollapsed_credit`: the credit of responses that did not collapse. `audited`: collapsed responses
    that were let run on; `audited_credit`: their credit. `onset_words` and `period_words`: medians over the known loops.
    Where questions have several samples: `questions`, the fewest `samples` of one, `pass_at_k` for that k, and `score_ci` and
    `em_ci` from resampling questions; else only F1 has a `score_ci`. `within`: for questions with right and wrong samples,
    the share of their (right, wrong) pairs in which the right one is shorter, as (share, number of questions with it).
    """

    n: int
    finished: int
    failed: int
    unparsed: int
    by_hand: int
    credit: float
    score: float
    squares: float
    strict_em: float
    strict_f1: float
    thinking: int
    answer: int
    censored: int
    stopped: int
    collapsed: int
    audited: int
    uncollapsed_credit: float
    audited_credit: float
    onset_words: float | None
    period_words: float | None
    words_saved: float
    tokens_saved: int
    questions: int | None
    samples: int | None
    pass_at_k: float | None
    score_ci: Interval | None
    em_ci: Interval | None
    within: Sequence[tuple[float, int]]

    def dumped(self) -> str:
        """As JSON, with every digit of the floats."""
        return json.dumps(asdict(self))

    @classmethod
    def loaded(cls, text: str) -> RunSummary:
        """The summary of which `dumped` returned this JSON."""
        return cls(**json.loads(text))


_COUNTS = """
SELECT count(*) AS n, coalesce(sum(finish_reason IN ('error', 'cancelled')), 0) AS failed, coalesce(max(sample), 0) AS last
FROM responses WHERE job_id = ?
"""

_RESPONSES = f"""
SELECT r.id, r.item_id, r.finish_reason <> 'stop' AS censored, r.finish_reason = 'repetition' AS stopped,
       r.parsed IS NULL AS unparsed, r.hand IS NOT NULL AS by_hand,
       coalesce(r.collapsed, 0) AS collapsed, coalesce(r.audited, 0) AS audited,
       coalesce(r.thinking_words, 0) AS thinking, coalesce(r.answer_words, 0) AS answer,
       {CREDIT} AS credit, {SCORE} AS score,
       {_SCORED} * coalesce(r.strict_em, 0.0) AS strict_em, {_SCORED} * coalesce(r.strict_f1, 0.0) AS strict_f1
FROM responses r WHERE r.job_id = ? AND {FINISHED} ORDER BY r.position, r.sample
"""

_LOOPED = f"""
SELECT r.id, r.collapsed = 1, r.finish_reason = 'repetition', coalesce(r.thinking_words, 0) + coalesce(r.answer_words, 0),
       coalesce(r.thinking_tokens, 0) + coalesce(r.answer_tokens, 0), r.token_limit, r.loop_onset, r.loop_period,
       r.loop_count, t.text
FROM responses r LEFT JOIN response_texts t ON t.response_id = r.id
WHERE r.job_id = ? AND {FINISHED} AND (r.collapsed = 1 OR r.finish_reason = 'repetition')
"""

Columns = dict[str, np.ndarray]


def summarise(connection: sqlite3.Connection, run: int, benchmark: str) -> tuple[RunSummary, np.ndarray]:
    """The summary of a run on a benchmark, and its finished responses: an array of dtype `ROW`, [finished responses]."""
    cursor = connection.cursor()
    cursor.row_factory = None
    n, failed, last = cursor.execute(_COUNTS, (run,)).fetchone()
    columns = _columns(cursor.execute(_RESPONSES, (run,)))
    looped = [(row[0], row[1], Looped(bool(row[2]), *row[3:])) for row in cursor.execute(_LOOPED, (run,))]
    words_ahead = {response: loop.words_ahead for response, _, loop in looped}
    rows = np.zeros(len(columns["id"]), dtype=ROW)
    rows["words"] = columns["thinking"] + columns["answer"]
    for response, more in words_ahead.items():
        rows["ahead"][columns["id"] == response] = more
    for name, source in (("censored", "censored"), ("score", "score"), ("em", "credit")):
        rows[name] = columns[source]
    sampled = last > 0 and len(rows) > 0
    numbers: dict[str, Any] = {
        **{"n": int(n), "finished": len(rows), "failed": int(failed)},
        **_sums(columns),
        **_loops([loop for _, collapsed, loop in looped if collapsed]),
        **{"words_saved": float(sum(words_ahead.values())), "tokens_saved": sum(loop.tokens_ahead for _, _, loop in looped)},
        **(_sampled(columns, rows) if sampled else _once(columns, get(benchmark).metric == "em_f1")),
    }
    return RunSummary(**numbers), rows


def _columns(cursor: sqlite3.Cursor) -> Columns:
    """The rows of a query as one float array per column, each [rows]."""
    names = [column[0] for column in cursor.description]
    values = list(zip(*cursor, strict=True)) or [()] * len(names)
    return {name: np.array(column, dtype=float) for name, column in zip(names, values, strict=True)}


def _sums(columns: Columns) -> dict[str, Any]:
    collapsed, score = columns["collapsed"] == 1, columns["score"]
    audited = collapsed & (columns["audited"] == 1)
    counts = {
        name: int(columns[name].sum())
        for name in ("unparsed", "by_hand", "thinking", "answer", "censored", "stopped", "collapsed")
    }
    return counts | {
        **{name: float(columns[name].sum()) for name in ("credit", "score", "strict_em", "strict_f1")},
        "squares": float((score**2).sum()),
        **{"audited": int(audited.sum()), "audited_credit": float(columns["credit"][audited].sum())},
        "uncollapsed_credit": float(columns["credit"][~collapsed].sum()),
    }


def _loops(collapsed: Sequence[Looped]) -> dict[str, float | None]:
    """Medians over the collapsed responses whose loop is known."""
    onsets = [float(onset) for loop in collapsed if (onset := loop.onset_words) is not None]
    periods = [period for loop in collapsed if (period := loop.period_words) is not None]
    return {
        "onset_words": median(onsets) if onsets else None,
        "period_words": median(periods) if periods else None,
    }


def _once(columns: Columns, f1: bool) -> dict[str, Any]:
    """The fields for a run with one sample a question."""
    values, counts = np.unique(columns["score"], return_counts=True)
    interval = bootstrap_mean(values.tolist(), counts.tolist()) if f1 else None
    unset = {"questions": None, "samples": None, "pass_at_k": None, "em_ci": None}
    return unset | {"score_ci": interval, "within": []}


def _sampled(columns: Columns, rows: np.ndarray) -> dict[str, Any]:
    """The fields for several samples a question: intervals from resampling questions, and pass@k."""
    _, item = np.unique(columns["item_id"], return_inverse=True)
    n = np.bincount(item)
    k, credit = int(n.min()), np.bincount(item, columns["credit"])
    solved = [pass_at_k(round(correct), int(samples), k) for correct, samples in zip(credit, n, strict=True)]
    em_interval = bootstrap_questions(credit, n)
    same = np.array_equal(columns["score"], columns["credit"])
    score_interval = em_interval if same else bootstrap_questions(np.bincount(item, columns["score"]), n)
    return {
        **{"questions": len(n), "samples": k, "pass_at_k": sum(solved) / len(solved)},
        **{"score_ci": score_interval, "em_ci": em_interval, "within": _within(item, columns["credit"] == 1, rows["words"])},
    }


def _within(item: np.ndarray, right: np.ndarray, words: np.ndarray) -> list[tuple[float, int]]:
    """`RunSummary.within`, sorted by share. `item` (question number), `right` and `words` are each [responses]."""
    order = np.argsort(item, kind="stable")
    shares: Counter[float] = Counter()
    for samples in np.split(order, np.flatnonzero(np.diff(item[order])) + 1):
        good, bad = words[samples[right[samples]]], words[samples[~right[samples]]]
        if len(good) and len(bad):
            gaps = bad[None, :].astype(float) - good[:, None]
            shares[float(np.mean(np.sign(gaps) + 1) / 2)] += 1
    return sorted(shares.items())
