"""Two variants on the same questions: who wins by how much, whether that is chance, which questions flipped, and how two
responses differ.

Only questions that both have finished count, each with the mean over its samples. The difference of the score (accuracy, or
F1), its interval and its p are of one paired test, so that they agree (`core.results.stats.paired`). A question with several
samples is right where most of them are.
"""

from __future__ import annotations

import difflib
import json
import re
import sqlite3
from collections.abc import Callable, Sequence

import numpy as np

from core.errors import UsageError
from core.results.questions import Questions
from core.results.rows import CompareRow
from core.results.runs import Run, one_picture, responses_of, shown_runs
from core.results.stats import paired

MAX_SENTENCES = 3_000
"""Of each response; a loop of tens of thousands of words tells nothing more, and diffing it takes minutes."""

HALF = 0.5
"""A question with several samples counts as right where more than so many are."""

_KEYS = "SELECT id, key FROM items WHERE id IN (SELECT value FROM json_each(?))"

_TEXT = """
SELECT r.id, t.text FROM responses r JOIN items i ON i.id = r.item_id LEFT JOIN response_texts t ON t.response_id = r.id
WHERE r.job_id IN (SELECT value FROM json_each(?)) AND i.key = ? AND r.state = 'done' ORDER BY r.job_id DESC, r.sample LIMIT 1
"""

_FLIPS = ((False, True), (True, False))
"""Right on side a, on side b: what gains a question, and what loses one."""


def compare(connection: sqlite3.Connection, one: str, other: str, benchmark: str | None = None) -> list[CompareRow]:
    """One object for each benchmark that both have run.

    {a, b, benchmark, n, metric, a_score, b_score, difference (b - a, percentage points), difference_ci, p, same_protocol
    (whether sampling, prompt and benchmark version are the same), gained, lost (keys of the questions that only b, only a got
    right), both, neither, unpaired, runs}. `a` and `b` are labels, variants or
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
    runs = [run for run in shown_runs(connection) if run.summary.n]
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
        lambda run: run.main and run.variant.lower() == plain,
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


def _compared(connection: sqlite3.Connection, first: Run, second: Run) -> CompareRow:
    responses = responses_of(connection, (first, second))
    one, other = Questions.of(responses[first.run]), Questions.of(responses[second.run])
    items, at_one, at_other = np.intersect1d(one.items, other.items, return_indices=True)
    scores, credits = ((a[at_one], b[at_other]) for a, b in ((one.score, other.score), (one.credit, other.credit)))
    right = list(zip((credits[0] > HALF).tolist(), (credits[1] > HALF).tolist(), strict=True))
    keys = _keys(connection, items)
    gained, lost = ([key for key, was in zip(keys, right, strict=True) if was == flip] for flip in _FLIPS)
    test = paired(scores[1] - scores[0]) if len(items) else None
    return {
        "a": first.label,
        "b": second.label,
        "benchmark": first.benchmark,
        "n": len(items),
        "metric": "accuracy" if first.metric == "accuracy" else "f1",
        "a_score": 100 * float(scores[0].mean()) if test else None,
        "b_score": 100 * float(scores[1].mean()) if test else None,
        "difference": 100 * test.difference if test else None,
        "difference_ci": [100 * test.low, 100 * test.high] if test else None,
        "p": test.p if test else None,
        "same_protocol": first.protocol == second.protocol,
        "gained": gained,
        "lost": lost,
        "both": right.count((True, True)),
        "neither": right.count((False, False)),
        "unpaired": len(one.items) + len(other.items) - 2 * len(items),
        "runs": [first.run, second.run],
    }


def _keys(connection: sqlite3.Connection, items: np.ndarray) -> list[str]:
    """The keys of questions, in their order."""
    rows = connection.execute(_KEYS, (json.dumps(items.tolist()),)).fetchall()
    keys = {row["id"]: str(row["key"]) for row in rows}
    return [keys[item] for item in items.tolist()]


def response_diff(connection: sqlite3.Connection, one: str, other: str, among: Sequence[str], key: str) -> list[str]:
    """The lines of a unified diff of two responses to one question, sentence by sentence.

    The question is looked for in each of these benchmarks. Raises UsageError where none has it.
    """
    with one_picture(connection):
        both = sides(connection, one, other)
        pairs = {name: [_response(connection, side, name, key) for side in both] for name in among}
    answered = {name: [row for row in pair if row is not None] for name, pair in pairs.items() if None not in pair}
    if not answered:
        problem = f"There is no finished response of both to question {key!r} of {', '.join(among)}."
        raise UsageError(problem, "`lrm-tui responses` lists responses with their questions.")
    if len(answered) == 1:
        [responses] = answered.values()
        return _unified(one, other, responses)
    return [line for name, pair in answered.items() for line in (f"{name}:", *_unified(one, other, pair))]


def _unified(one: str, other: str, responses: Sequence[tuple[int, str]]) -> list[str]:
    names = [f"{side} (response {response})" for side, (response, _) in zip((one, other), responses, strict=True)]
    parts = [_sentences(text) for _, text in responses]
    first, second = (sentences[:MAX_SENTENCES] for sentences in parts)
    lines = list(difflib.unified_diff(first, second, names[0], names[1], n=1, lineterm=""))
    for name, sentences in zip(names, parts, strict=True):
        if len(sentences) > MAX_SENTENCES:
            lines.append(f"({name}: {len(sentences) - MAX_SENTENCES:,} more sentences are left out)")
    return lines or ["The responses are equal."]


def _response(connection: sqlite3.Connection, runs: dict[str, Run], benchmark: str, key: str) -> tuple[int, str] | None:
    run = runs.get(benchmark)
    row = connection.execute(_TEXT, (json.dumps(run.runs), key)).fetchone() if run else None
    return None if row is None else (int(row[0]), str(row[1] or ""))


def _sentences(text: str) -> list[str]:
    return [sentence for line in text.splitlines() for sentence in re.split(r"(?<=[.!?])\s+", line)]
