"""What the tables need of the responses of alike runs: counts, means over questions, and their intervals.

The question is the unit: a mean is that of the questions' means over their samples, and intervals tell of which questions
were asked. A summary is computed from the responses alone, so that it can be cached for a run that has ended and dropped
whenever one of its responses changes (`summary_cache`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.results.endings import Ended, ended
from core.results.questions import means
from core.results.responses import Planned
from core.results.stats import Interval, mean_interval, pass_at_k

VERSION = 5
"""Version of the fields of `RunSummary` and of `responses.ROW`; what is cached of another version is computed again."""


@dataclass(frozen=True, slots=True)
class RunSummary(Ended):
    """Counts, means and intervals of alike runs; means, shares and intervals run from 0 to 1, None without a finished response.

    `questions` were asked, `planned` responses in all; `n` of the questions have a finished response, `finished` responses in
    all; `samples`: the fewest that one of the n has. `failed`: errors and cancelled. `credit`: correct, or an exact match;
    `score`: correct, or F1; `strict_em`, `strict_f1`: the whole answer part graded as it stands. `error`: standard error of
    `score`. With several samples, `pass_at_k` for k = `samples`, and `majority`: the credit of each question's most frequent
    answer, ties shared. `thinking`, `answer`: words. `censored`: responses cut before their own end. `collapsed` ones, with
    `collapse_share` over questions; of them `audited` were let run on and earned `audited_credit`; the others' credit is
    `uncollapsed_credit`. `onset_words`, `period_words`: medians over the known loops.
    """

    questions: int
    planned: int
    n: int
    finished: int
    samples: int
    failed: int
    unparsed: int
    by_hand: int
    credit: float | None
    credit_ci: Interval | None
    score: float | None
    score_ci: Interval | None
    error: float | None
    strict_em: float | None
    strict_f1: float | None
    pass_at_k: float | None
    majority: float | None
    thinking: int
    answer: int
    censored: int
    stopped: int
    collapsed: int
    collapse_share: float | None
    collapse_ci: Interval | None
    audited: int
    uncollapsed_credit: float
    audited_credit: float
    onset_words: float | None
    period_words: float | None
    words_saved: float
    tokens_saved: int

    def dumped(self) -> str:
        """As JSON, with every digit of the floats."""
        return json.dumps(asdict(self))

    @classmethod
    def loaded(cls, text: str) -> RunSummary:
        """The summary of which `dumped` returned this JSON."""
        return cls(**json.loads(text))


def summarise(planned: Planned, rows: np.ndarray) -> RunSummary:
    """The summary of finished responses of dtype `ROW`, [responses], of alike runs that asked for `planned`."""
    items, place = np.unique(rows["item"], return_inverse=True)
    samples = np.bincount(place, minlength=len(items))
    n, k = len(items), int(samples.min()) if len(items) else 0
    numbers: dict[str, Any] = {
        **{"questions": max(planned.questions, n), "planned": planned.responses, "n": n, "finished": len(rows), "samples": k},
        "failed": planned.failed,
        **{name: int(rows[name].sum()) for name in ("unparsed", "by_hand", "thinking", "answer", "censored", "stopped")},
        **_scores(rows, place, samples),
        **_repeated(rows, place, samples, k),
        **_loops(rows, place, samples),
        **asdict(ended(rows, planned.errors)),
    }
    return RunSummary(**numbers)


def _scores(rows: np.ndarray, place: np.ndarray, samples: np.ndarray) -> dict[str, Any]:
    if not len(samples):
        names = ("credit", "credit_ci", "score", "score_ci", "error", "strict_em", "strict_f1")
        return dict.fromkeys(names)
    credit, score = (means(rows[name], place, samples) for name in ("credit", "score"))
    credit_ci = mean_interval(credit, samples)
    return {
        **{"credit": float(credit.mean()), "credit_ci": credit_ci, "score": float(score.mean())},
        "score_ci": credit_ci if np.array_equal(credit, score) else mean_interval(score, samples),
        "error": float(score.std(ddof=1) / len(score) ** 0.5) if len(score) > 1 else None,
        **{name: float(means(rows[name], place, samples).mean()) for name in ("strict_em", "strict_f1")},
    }


def _repeated(rows: np.ndarray, place: np.ndarray, samples: np.ndarray, k: int) -> dict[str, float | None]:
    """pass@k and the majority's credit, of questions with several samples."""
    if k < 2:
        return {"pass_at_k": None, "majority": None}
    right = np.bincount(place, rows["credit"], minlength=len(samples))
    solved = [pass_at_k(round(good), int(n), k) for good, n in zip(right, samples, strict=True)]
    order = np.argsort(place, kind="stable")
    groups = np.split(order, np.cumsum(samples)[:-1])
    return {
        "pass_at_k": sum(solved) / len(solved),
        "majority": float(np.mean([_majority(rows["choice"][group], rows["credit"][group]) for group in groups])),
    }


def _majority(choices: np.ndarray, credit: np.ndarray) -> float:
    """The credit of the most frequent answer, the mean of several; samples without an answer have no vote."""
    answers, place, votes = np.unique(choices, return_inverse=True, return_counts=True)
    votes = np.where(answers < 0, 0, votes)
    if not votes.max():
        return 0.0
    earned = np.bincount(place, credit) / np.bincount(place)
    return float(earned[votes == votes.max()].mean())


def _loops(rows: np.ndarray, place: np.ndarray, samples: np.ndarray) -> dict[str, Any]:
    collapsed = rows["collapsed"]
    audited, shares = collapsed & rows["audited"], means(collapsed, place, samples)
    return {
        "collapsed": int(collapsed.sum()),
        "collapse_share": float(shares.mean()) if len(samples) else None,
        "collapse_ci": mean_interval(shares, samples) if len(samples) else None,
        **{"audited": int(audited.sum()), "audited_credit": float(rows["credit"][audited].sum())},
        "uncollapsed_credit": float(rows["credit"][~collapsed].sum()),
        **{f"{name}_words": _median(rows[name][collapsed]) for name in ("onset", "period")},
        **{"words_saved": float(rows["ahead"].sum()), "tokens_saved": int(rows["tokens_ahead"].sum())},
    }


def _median(values: np.ndarray) -> float | None:
    """The median of those that are known."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else None
