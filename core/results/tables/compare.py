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
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.errors import UsageError
from core.results.rows import CompareRow
from core.results.run_summary import CREDIT, FINISHED, SCORE
from core.results.runs import Run, one_picture, shown_runs
from core.results.stats import bootstrap_mean

MAX_SENTENCES = 3_000
"""Of each response; a loop of tens of thousands of words tells nothing more, and diffing it takes minutes."""

_ANSWERS = f"""
SELECT r.item_id, i.key, count(*) AS n, avg({SCORE}) AS score, avg({CREDIT}) AS credit
FROM responses r JOIN items i ON i.id = r.item_id
WHERE r.job_id = ? AND {FINISHED} GROUP BY r.item_id ORDER BY min(r.position)
"""

_TEXT = """
SELECT r.id, t.text FROM responses r JOIN items i ON i.id = r.item_id LEFT JOIN response_texts t ON t.response_id = r.id
WHERE r.job_id = ? AND i.key = ? AND r.state = 'done' ORDER BY r.sample LIMIT 1
"""

_FLIPS = ((False, True), (True, False))
"""Right on side a, on side b: what gains a question, and what loses one."""


def mcnemar(lost: int, gained: int) -> float:
    """The two-sided exact p of as uneven a split of the discordant pairs, were either side as likely; 1 without any."""
    n = lost + gained
    tail = sum(math.comb(n, k) for k in range(min(lost, gained) + 1))
    return min(1.0, float(2 * tail / 2**n))


def compare(connection: sqlite3.Connection, one: str, other: str, benchmark: str | None = None) -> list[CompareRow]:
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


def sides(connection: sqlite3.Connection, *names: str) -> list[dict[str, Run]]:
    """For each name the runs by benchmark."""
    runs = [run for run in shown_runs(connection) if run.summary.finished]
    return [_side(connection, runs, name) for name in names]


def _side(connection: sqlite3.Connection, runs: Sequence[Run], name: str) -> dict[str, Run]:
    if re.fullmatch(r"#?\d+", name):
        numbered = shown_runs(connection, int(name.lstrip("#")))
        if not numbered:
            raise UsageError(f"There is no run {name} with responses.", "`lrm-tui ls` lists the runs.")
        return {run.benchmark: run for run in numbered}
    plain = name.lower()
    tests: tuple[Callable[[Run], bool], ...] = (
        lambda run: run.label.lower() == plain,
        lambda run: run.variant.lower() == plain,
        lambda run: plain in run.label.lower(),
    )
    matches = [[run for run in runs if test(run)] for test in tests]
    for matching in matches:
        if len({run.label for run in matching}) == 1:
            return {run.benchmark: run for run in matching}
    labels = ", ".join(sorted({run.label for run in matches[-1] or runs})) or "none yet"
    fault = "means several variants" if matches[-1] else "is no variant with finished responses"
    raise UsageError(f"{name!r} {fault}.", f"Name one of: {labels}; or a run's number.")


@dataclass(frozen=True, slots=True)
class _Answer:
    """The finished samples of one question: how many, and their means."""

    key: str
    n: int
    score: float
    credit: float


def _answers(connection: sqlite3.Connection, run: Run) -> dict[int, _Answer]:
    return {int(row[0]): _Answer(*row[1:]) for row in connection.execute(_ANSWERS, (run.run,))}


def _compared(connection: sqlite3.Connection, first: Run, second: Run) -> CompareRow:
    one, other = _answers(connection, first), _answers(connection, second)
    pairs = [(answer, other[item]) for item, answer in one.items() if item in other]
    gaps = [b.score - a.score for a, b in pairs]
    right = [(a.credit > 0.5, b.credit > 0.5) for a, b in pairs]
    gained, lost = ([a.key for (a, _), was in zip(pairs, right, strict=True) if was == flip] for flip in _FLIPS)
    single = bool(pairs) and all(a.n == b.n == 1 for a, b in pairs)
    values = Counter(gaps)
    interval = bootstrap_mean(list(values), list(values.values()))
    return {
        "a": first.label,
        "b": second.label,
        "benchmark": first.benchmark,
        "n": len(pairs),
        "metric": "accuracy" if first.metric == "accuracy" else "f1",
        "a_score": 100 * sum(a.score for a, _ in pairs) / len(pairs) if pairs else None,
        "b_score": 100 * sum(b.score for _, b in pairs) / len(pairs) if pairs else None,
        "difference": 100 * sum(gaps) / len(gaps) if gaps else None,
        "difference_ci": [100 * end for end in interval] if interval else None,
        "p": mcnemar(len(lost), len(gained)) if single else None,
        "gained": gained,
        "lost": lost,
        "both": right.count((True, True)),
        "neither": right.count((False, False)),
        "unpaired": len(one) + len(other) - 2 * len(pairs),
        "runs": [first.run, second.run],
    }


def response_diff(connection: sqlite3.Connection, one: str, other: str, benchmark: str, key: str) -> list[str]:
    """The lines of a unified diff of two responses to one question, sentence by sentence. Raises UsageError without them."""
    with one_picture(connection):
        responses = [_response(connection, side, benchmark, key) for side in sides(connection, one, other)]
    names = [f"{side} (response {response})" for side, (response, _) in zip((one, other), responses, strict=True)]
    parts = [_sentences(text) for _, text in responses]
    first, second = (sentences[:MAX_SENTENCES] for sentences in parts)
    lines = list(difflib.unified_diff(first, second, names[0], names[1], n=1, lineterm=""))
    for name, sentences in zip(names, parts, strict=True):
        if len(sentences) > MAX_SENTENCES:
            lines.append(f"({name}: {len(sentences) - MAX_SENTENCES:,} more sentences are left out)")
    return lines or ["The responses are equal."]


def _response(connection: sqlite3.Connection, runs: dict[str, Run], benchmark: str, key: str) -> tuple[int, str]:
    run = runs.get(benchmark)
    row = connection.execute(_TEXT, (run.run, key)).fetchone() if run else None
    if row is None:
        raise UsageError(f"There is no finished response to question {key!r} of {benchmark}.", "`compare` lists questions.")
    return int(row[0]), str(row[1] or "")


def _sentences(text: str) -> list[str]:
    return [sentence for line in text.splitlines() for sentence in re.split(r"(?<=[.!?])\s+", line)]
