"""Which variant for a memory budget: the front of score over size, with intervals, and the reasons in words.

The choice is the variant whose average is surest to be high: the highest lower bound of the 95 % interval. Variants that were
asked few questions are left out, and those that a paired test on the same questions cannot tell from the choice are named.

Size is what the weights take: the variant's file, else parameters times bits. ROOM on top of that is a rule of thumb for
context and buffers; a long context of a large model needs more. Candidates are one's own runs, never published rows.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.registry import of
from core.errors import UsageError
from core.results.questions import Questions
from core.results.rows import Candidate, Recommendation, ScoreRow
from core.results.runs import Run, main_runs, one_picture, responses_of, shown_runs
from core.results.stats import Difference, mean_of, mover, paired, unpaired
from core.results.tables.scores import AVERAGES, scores_rows

ROOM = 1.1
ENOUGH = 30
"""Questions that a variant must have answered of each benchmark of the average; AIME has no more."""
DENSE_BITS = 16.0
_UNITS = {"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_KNOWLEDGE = of("paper", "knowledge") + of("pocket", "knowledge")


def memory_of(text: str) -> float:
    """Bytes of `24GB`, `80 GiB`, `512MB`; a bare number means GB. Raises UsageError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?b)?\s*", text, re.IGNORECASE)
    if not match or float(match[1]) <= 0:
        raise UsageError(f"{text!r} is no amount of memory.", "Write 24GB or 80GiB.")
    return float(match[1]) * _UNITS[(match[2] or "gb").lower()]


Scores = dict[str, dict[str, Questions]]
"""The questions of candidates, by label and benchmark of the average."""


def recommend(connection: sqlite3.Connection, memory: float, knowledge: bool = False) -> Recommendation:
    """{memory, knowledge, choice, ties, smallest, reasons, front}; `choice` is a label or None.

    `front` lists every candidate from small to large: {variant, label, bytes, estimated, needs, fits, enough, score, score_ci,
    knowledge, knowledge_ci, on_front}. A candidate has the average of three accuracies; with `knowledge` it also needs
    MuSiQue. Only those with `enough` questions are chosen from and stand on the front. Among those that fit, with `knowledge`,
    only those whose F1 chance may explain stay beside the surest F1; then the highest lower bound of the average wins. `ties`:
    labels of those that a paired test of the average cannot tell from the choice, `smallest` the smallest of all these.
    """
    with one_picture(connection):
        rows, sizes = [row for row in scores_rows(connection) if row["main"]], _sizes(connection)
        made = ((row, _candidate(row, sizes[row["variant"], row["engine"]], memory, knowledge)) for row in rows)
        known = [
            (row, candidate) for row, candidate in made if candidate and not (knowledge and candidate["knowledge"] is None)
        ]
        scores = _scores(connection, [row for row, candidate in known if candidate["fits"] and candidate["enough"]])
    candidates = sorted((candidate for _, candidate in known), key=lambda c: c["bytes"])
    best = -1.0
    for candidate in candidates:
        candidate["on_front"] = candidate["enough"] and candidate["score"] > best
        best = max(best, candidate["score"]) if candidate["enough"] else best
    advice = _choose(candidates, memory, knowledge, lambda one, other: _tied(scores[one], scores[other]))
    unsized = sum(row["average"] is not None and sizes[row["variant"], row["engine"]][0] is None for row in rows)
    if unsized:
        which = "1 variant has" if unsized == 1 else f"{unsized} variants have"
        advice["reasons"].append(f"{which} scores but no known size (import with parameters and bits_per_weight).")
    return advice


def _scores(connection: sqlite3.Connection, rows: Sequence[ScoreRow]) -> Scores:
    runs: dict[int | None, Run] = {run.run: run for run in shown_runs(connection)} if rows else {}
    behind = {row["label"]: {b: runs[row["benchmarks"][b]["run"]] for b in row["average_of"] or ()} for row in rows}
    responses = responses_of(connection, [run for some in behind.values() for run in some.values()])
    return {label: {b: Questions.of(responses[run.run]) for b, run in some.items()} for label, some in behind.items()}


def _tied(one: dict[str, Questions], other: dict[str, Questions]) -> bool:
    """Whether the interval of the difference of two averages of the same benchmarks holds 0."""
    if one.keys() != other.keys():
        return False
    tests = [_test(one[name], other[name]) for name in one]
    low, high = mover([(test.difference, (test.low, test.high), 1 / len(tests)) for test in tests])
    return low <= 0 <= high


def _test(one: Questions, other: Questions) -> Difference:
    """Paired on the questions that both have; without any, between the two means."""
    _, at_one, at_other = np.intersect1d(one.items, other.items, return_indices=True)
    if len(at_one):
        return paired(one.credit[at_one] - other.credit[at_other])
    return unpaired(mean_of(one.credit, one.samples), mean_of(other.credit, other.samples))


def _sizes(connection: sqlite3.Connection) -> dict[tuple[str, str | None], tuple[float | None, bool]]:
    """Bytes of the weights by variant and engine, and whether they are estimated."""
    sizes: dict[tuple[str, str | None], tuple[float | None, bool]] = {}
    for run in main_runs(connection):
        if run.bytes is not None:
            sizes[run.variant, run.engine] = float(run.bytes), False
            continue
        bits = run.bits_per_weight or (DENSE_BITS if run.compression == "none" else None)
        sizes[run.variant, run.engine] = (None if run.parameters is None or bits is None else run.parameters * bits / 8), True
    return sizes


def _candidate(row: ScoreRow, size: tuple[float | None, bool], memory: float, knowledge: bool) -> Candidate | None:
    """None without an average or a known size; with `knowledge`, enough questions of MuSiQue count too."""
    weights, estimated = size
    score, score_ci = row["average"], row["average_ci"]
    if score is None or score_ci is None or weights is None:
        return None
    cell = next((row["benchmarks"][name] for name in _KNOWLEDGE if name in row["benchmarks"]), None)
    asked = [row["benchmarks"][name] for name in row["average_of"] or ()] + ([cell] if knowledge and cell else [])
    return {
        "variant": row["variant"],
        "label": row["label"],
        "origin": row["origin"],
        "bytes": weights,
        "estimated": estimated,
        "needs": ROOM * weights,
        "fits": ROOM * weights <= memory,
        "enough": all((one["finished"] or 0) >= ENOUGH for one in asked),
        "score": score,
        "score_ci": score_ci,
        "knowledge": cell.get("f1") if cell else None,
        "knowledge_ci": cell.get("f1_ci") if cell else None,
        "on_front": False,
    }


def _choose(candidates: list[Candidate], memory: float, knowledge: bool, tied: Callable[[str, str], bool]) -> Recommendation:
    advice: Recommendation = {
        "memory": memory,
        "knowledge": knowledge,
        "choice": None,
        "ties": [],
        "smallest": None,
        "reasons": [],
        "front": candidates,
    }
    reasons, fitting = advice["reasons"], [c for c in candidates if c["fits"]]
    pool = [c for c in fitting if c["enough"]]
    if not candidates:
        lacks = "an average of three benchmarks, MuSiQue and a known size" if knowledge else "an average and a known size"
        trios = " or ".join(", ".join(trio) for trio in AVERAGES)
        reasons += [f"Not enough data: no variant has {lacks}.", f"An average takes all three of {trios}."]
        return advice
    if not fitting:
        least = min(candidates, key=lambda c: c["needs"])
        reasons += [f"Nothing fits {gigabytes(memory)}: the smallest, {least['label']}, needs {gigabytes(least['needs'])}."]
        return advice
    reasons += [f"{len(fitting)} of {len(candidates)} variants fit {gigabytes(memory)} (weights and {ROOM - 1:.0%} room)."]
    if len(pool) < len(fitting):
        out = ", ".join(c["label"] for c in fitting if not c["enough"])
        reasons += [f"Left out, with fewer than {ENOUGH} questions of a benchmark: {out}."]
    if not pool:
        return advice
    if knowledge:
        pool, known = _most_knowing(pool)
        reasons += known
    first = max(pool, key=lambda c: (c["score_ci"][0], c["score"]))
    ties = [c for c in pool if c is not first and tied(first["label"], c["label"])]
    least = min([first, *ties], key=lambda c: c["bytes"])
    advice["choice"], advice["ties"], advice["smallest"] = first["label"], [c["label"] for c in ties], least["label"]
    reasons += [f"{_says(first)} has the highest lower bound of the average."]
    if ties:
        reasons += [f"On the same questions it cannot be told apart from {', '.join(advice['ties'])}."]
        reasons += [f"The smallest of them is {_says(least)[:-1]}."] if least is not first else ["It is the smallest of them."]
    return advice


def _says(candidate: Candidate) -> str:
    average = f"{candidate['score']:.1f} ({_ends(candidate['score_ci'])})"
    return f"{candidate['label']}, {average} in {gigabytes(candidate['needs'])},"


def _most_knowing(pool: Sequence[Candidate]) -> tuple[list[Candidate], list[str]]:
    """Those whose F1 chance may explain beside the F1 with the highest lower bound, and the reasons in words."""
    known = [(c, c["knowledge"], c["knowledge_ci"]) for c in pool]
    scored = [(c, f1, ends) for c, f1, ends in known if f1 is not None and ends is not None]
    top, best, (least, _) = max(scored, key=lambda one: one[2][0])
    kept = [c for c, _, ends in scored if ends[1] >= least]
    reasons = [f"Knowledge matters: the surest F1 is {best:.1f} ({top['label']})."]
    if len(kept) < len(pool):
        reasons.append(f"{len(pool) - len(kept)} variants know clearly less and are out.")
    return kept, reasons


def gigabytes(size: float | None) -> str:
    """A size in GB, or in MB where that is small."""
    if size is None:
        return "–"
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _ends(interval: Sequence[float]) -> str:
    return f"{interval[0]:.0f} to {interval[1]:.0f}"
