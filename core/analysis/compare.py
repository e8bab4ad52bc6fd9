"""Two variants on the same questions: who wins by how much, whether that is chance, which questions flipped, and how two
responses differ.

Only questions that both have finished count. Accuracy and exact match are compared by McNemar's exact test over the
questions that only one side got right; differences have paired bootstrap intervals (questions are drawn, each with both
its answers). Where a question was asked several times its mean counts, a question is right when most samples are, and no
test is made.
"""

from __future__ import annotations

import difflib
import math
import re
import sqlite3
from typing import Any

import pandas as pd

from benchmarks.registry import get
from core.analysis.intervals import bootstrap_mean
from core.analysis.runs import FINISHED, SCORED, one_picture, shown_runs
from core.errors import UsageError

Run = dict[Any, Any]
"""A row of `shown_runs`."""

MAX_SENTENCES = 3_000
"""Of each response; a loop of tens of thousands of words tells nothing more, and diffing it takes minutes."""

_ANSWERS = f"""
SELECT i.key, r.item_id AS item, count(*) AS n, avg({SCORED} * coalesce(r.correct, 0)) AS correct,
       avg({SCORED} * coalesce(r.em, 0.0)) AS em, avg({SCORED} * coalesce(r.f1, 0.0)) AS f1
FROM responses r JOIN items i ON i.id = r.item_id
WHERE r.job_id = ? AND {FINISHED} GROUP BY r.item_id ORDER BY min(r.position)
"""

_TEXT = """
SELECT r.id, t.text FROM responses r JOIN items i ON i.id = r.item_id LEFT JOIN response_texts t ON t.response_id = r.id
WHERE r.job_id = ? AND i.key = ? AND r.state = 'done' ORDER BY r.sample LIMIT 1
"""


def mcnemar(lost: int, gained: int) -> float:
    """The two-sided exact p of as uneven a split of the discordant pairs, were either side as likely; 1 without any."""
    n = lost + gained
    tail = sum(math.comb(n, k) for k in range(min(lost, gained) + 1))
    return min(1.0, float(2 * tail / 2**n))


def compare(connection: sqlite3.Connection, one: str, other: str, benchmark: str | None = None) -> list[dict[str, Any]]:
    """One object for each benchmark that both have run.

    {a, b, benchmark, n, metric, a_score, b_score, difference (b - a, percentage points), difference_ci, p, gained, lost
    (keys of the questions that only b, only a got right), both, neither, unpaired, runs}. `a` and `b` are labels, variants or
    run numbers. Raises UsageError where a name means nothing or several things, or where no benchmark is shared.
    """
    with one_picture(connection):
        first, second = sides(connection, one, other)
        shared = [name for name in first if name in second and benchmark in (None, name)]
        if not shared:
            raise UsageError(f"{one} and {other} share no benchmark.", "Run both on the same questions first.")
        return [_compared(connection, first[name], second[name]) for name in shared]


def sides(connection: sqlite3.Connection, *wanted: str) -> list[dict[str, Run]]:
    """For each name the runs by benchmark."""
    runs = shown_runs(connection)
    return [_side(connection, runs[runs["finished"] > 0], name) for name in wanted]


def _side(connection: sqlite3.Connection, runs: pd.DataFrame, name: str) -> dict[str, Run]:
    if re.fullmatch(r"#?\d+", name):
        found = shown_runs(connection, int(name.lstrip("#")))
        if found.empty:
            raise UsageError(f"There is no run {name} with responses.", "`lrm-tui ls` lists the runs.")
        return _by_benchmark(found)
    plain = name.lower()
    for column in ("label", "variant"):
        exact = runs[runs[column].str.lower() == plain]
        if exact["label"].nunique() == 1:
            return _by_benchmark(exact)
    near = runs[runs["label"].str.lower().str.contains(plain, regex=False)]
    if near["label"].nunique() != 1:
        labels = ", ".join(sorted((near if len(near) else runs)["label"].unique())) or "none yet"
        fault = "means several variants" if len(near) else "is no variant with finished responses"
        raise UsageError(f"{name!r} {fault}.", f"Name one of: {labels}; or a run's number.")
    return _by_benchmark(near)


def _by_benchmark(runs: pd.DataFrame) -> dict[str, Run]:
    return {str(row["benchmark"]): row for row in runs.to_dict("records")}


def _compared(connection: sqlite3.Connection, first: Run, second: Run) -> dict[str, Any]:
    answers = [pd.read_sql_query(_ANSWERS, connection, params=(int(run["run"]),)) for run in (first, second)]
    pairs = answers[0].merge(answers[1], on=["item", "key"], suffixes=("_a", "_b"))
    accuracy = get(first["benchmark"]).metric == "accuracy"
    metric, hits = ("accuracy", "correct") if accuracy else ("f1", "em")
    column = "correct" if accuracy else "f1"
    gaps = (pairs[f"{column}_b"] - pairs[f"{column}_a"]).tolist()
    right = [pairs[f"{hits}_{side}"] > 0.5 for side in "ab"]
    gained, lost = pairs["key"][right[1] & ~right[0]].tolist(), pairs["key"][right[0] & ~right[1]].tolist()
    single = len(pairs) > 0 and max(pairs["n_a"].max(), pairs["n_b"].max()) == 1
    interval = bootstrap_mean(gaps, [1] * len(gaps))
    return {
        **{"a": first["label"], "b": second["label"], "benchmark": first["benchmark"], "n": len(pairs), "metric": metric},
        **{f"{side}_score": 100 * float(pairs[f"{column}_{side}"].mean()) if len(pairs) else None for side in "ab"},
        "difference": 100 * sum(gaps) / len(gaps) if gaps else None,
        "difference_ci": [100 * end for end in interval] if interval else None,
        "p": mcnemar(len(lost), len(gained)) if single else None,
        **{"gained": gained, "lost": lost},
        **{"both": int((right[0] & right[1]).sum()), "neither": int((~right[0] & ~right[1]).sum())},
        "unpaired": len(answers[0]) + len(answers[1]) - 2 * len(pairs),
        "runs": [int(first["run"]), int(second["run"])],
    }


def response_diff(connection: sqlite3.Connection, one: str, other: str, benchmark: str, key: str) -> list[str]:
    """The lines of a unified diff of two responses to one question, sentence by sentence. Raises UsageError without them."""
    with one_picture(connection):
        found = [_response(connection, side, benchmark, key) for side in sides(connection, one, other)]
    names = [f"{side} (response {response})" for side, (response, _) in zip((one, other), found, strict=True)]
    parts = [_sentences(text) for _, text in found]
    first, second = (sentences[:MAX_SENTENCES] for sentences in parts)
    lines = list(difflib.unified_diff(first, second, names[0], names[1], n=1, lineterm=""))
    for name, sentences in zip(names, parts, strict=True):
        if len(sentences) > MAX_SENTENCES:
            lines.append(f"({name}: {len(sentences) - MAX_SENTENCES:,} more sentences are left out)")
    return lines or ["The responses are equal."]


def _response(connection: sqlite3.Connection, runs: dict[str, Run], benchmark: str, key: str) -> tuple[int, str]:
    run = runs.get(benchmark)
    row = connection.execute(_TEXT, (int(run["run"]), key)).fetchone() if run else None
    if row is None:
        raise UsageError(f"There is no finished response to question {key!r} of {benchmark}.", "`compare` lists questions.")
    return int(row[0]), str(row[1] or "")


def _sentences(text: str) -> list[str]:
    return [sentence for line in text.splitlines() for sentence in re.split(r"(?<=[.!?])\s+", line)]
