"""What the tables need of one run: counts, sums and resampled intervals, and its finished responses as packed numbers.

A digest is computed from the responses alone, so that it can be cached for a run that has ended and deleted whenever one of the
run's responses changes (`summary_cache`). A response is finished when it ended by itself, at its limit, or was stopped for
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

VERSION = 2
"""Of the numbers in a digest; one of another version is computed anew."""

FINISHED = "coalesce(r.finish_reason IN ('stop', 'length', 'repetition'), 0)"
_SCORED = "coalesce(r.finish_reason IN ('stop', 'length'), 0)"
CREDIT = f"{_SCORED} * coalesce(r.hand, r.correct, r.em, 0.0)"
SCORE = f"{_SCORED} * coalesce(r.hand, r.f1, r.correct, 0.0)"

ROW = np.dtype([("words", "<i4"), ("censored", "?"), ("ahead", "<f8"), ("score", "<f8"), ("em", "<f8")])
"""A finished response: `words` so far, whether that length is censored, the words that a stopped one would have added,
`score` (correct, or F1) and `em` (both 0 for one that was stopped)."""


@dataclass(frozen=True, slots=True)
class Digest:
    """One run. Sums are over its finished responses; shares and intervals run from 0 to 1.

    `credit` is what a response earns: correct, or an exact match; `score` is that or F1, `squares` its square; `by_hand` were
    judged by a person. `kept` is the credit of those that did not
    collapse, `audited` are the collapsed that were let run on, `lost` their credit. Where questions were asked several times
    there are `questions`, the fewest `samples` that one has, `pass_at_k` for that k, and `score_ci` and `em_ci` come from
    drawing questions; else only F1 has a `score_ci` here. `within` tells of questions with right and wrong samples: in which
    share of their pairs the right one is the shorter, as [share, questions].
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
    kept: float
    lost: float
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
        """As JSON, every digit kept."""
        return json.dumps(asdict(self))

    @classmethod
    def loaded(cls, text: str) -> Digest:
        """From what `dumped` gave."""
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


def digest(connection: sqlite3.Connection, run: int, benchmark: str) -> tuple[Digest, np.ndarray]:
    """The digest of a run on a benchmark, and its finished responses as an array of `ROW`."""
    cursor = connection.cursor()
    cursor.row_factory = None
    n, failed, last = cursor.execute(_COUNTS, (run,)).fetchone()
    columns = _columns(cursor.execute(_RESPONSES, (run,)))
    looped = [(row[0], row[1], Looped(bool(row[2]), *row[3:])) for row in cursor.execute(_LOOPED, (run,))]
    ahead = {key: loop.words_ahead for key, _, loop in looped}
    rows = np.zeros(len(columns["id"]), dtype=ROW)
    rows["words"] = columns["thinking"] + columns["answer"]
    for key, more in ahead.items():
        rows["ahead"][columns["id"] == key] = more
    for name, source in (("censored", "censored"), ("score", "score"), ("em", "credit")):
        rows[name] = columns[source]
    sampled = last > 0 and len(rows) > 0
    numbers: dict[str, Any] = {
        **{"n": int(n), "finished": len(rows), "failed": int(failed)},
        **_sums(columns),
        **_loops([loop for _, collapsed, loop in looped if collapsed]),
        **{"words_saved": float(sum(ahead.values())), "tokens_saved": sum(loop.tokens_ahead for _, _, loop in looped)},
        **(_sampled(columns, rows) if sampled else _once(columns, get(benchmark).metric == "em_f1")),
    }
    return Digest(**numbers), rows


def _columns(cursor: sqlite3.Cursor) -> Columns:
    """The rows of a query as an array a column."""
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
        **{"audited": int(audited.sum()), "lost": float(columns["credit"][audited].sum())},
        "kept": float(columns["credit"][~collapsed].sum()),
    }


def _loops(collapsed: Sequence[Looped]) -> dict[str, float | None]:
    """Medians over the collapsed whose loop is known."""
    onsets = [float(onset) for loop in collapsed if (onset := loop.onset_words) is not None]
    periods = [period for loop in collapsed if (period := loop.period_words) is not None]
    return {
        "onset_words": median(onsets) if onsets else None,
        "period_words": median(periods) if periods else None,
    }


def _once(columns: Columns, f1: bool) -> dict[str, Any]:
    """Every question was asked once."""
    values, counts = np.unique(columns["score"], return_counts=True)
    interval = bootstrap_mean(values.tolist(), counts.tolist()) if f1 else None
    nothing = {"questions": None, "samples": None, "pass_at_k": None, "em_ci": None}
    return nothing | {"score_ci": interval, "within": []}


def _sampled(columns: Columns, rows: np.ndarray) -> dict[str, Any]:
    """What several samples a question change: intervals that draw questions, and what k samples solve."""
    _, item = np.unique(columns["item_id"], return_inverse=True)
    n = np.bincount(item)
    k, credit = int(n.min()), np.bincount(item, columns["credit"])
    solved = [pass_at_k(round(right), int(of), k) for right, of in zip(credit, n, strict=True)]
    of_credit = bootstrap_questions(credit, n)
    same = np.array_equal(columns["score"], columns["credit"])
    of_score = of_credit if same else bootstrap_questions(np.bincount(item, columns["score"]), n)
    return {
        **{"questions": len(n), "samples": k, "pass_at_k": sum(solved) / len(solved)},
        **{"score_ci": of_score, "em_ci": of_credit, "within": _within(item, columns["credit"] == 1, rows["words"])},
    }


def _within(item: np.ndarray, right: np.ndarray, words: np.ndarray) -> list[tuple[float, int]]:
    """For the questions with right and wrong samples: the share of their pairs in which the right one is the shorter."""
    order = np.argsort(item, kind="stable")
    shares: Counter[float] = Counter()
    for place in np.split(order, np.flatnonzero(np.diff(item[order])) + 1):
        good, bad = words[place[right[place]]], words[place[~right[place]]]
        if len(good) and len(bad):
            gaps = bad[None, :].astype(float) - good[:, None]
            shares[float(np.mean(np.sign(gaps) + 1) / 2)] += 1
    return sorted(shares.items())
