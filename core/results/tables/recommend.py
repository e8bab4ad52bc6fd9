"""Which variant for a memory budget: the front of score over size, with intervals, and the reasons in words.

Size is what the weights take: the variant's file, else parameters times bits. ROOM on top of that is a rule of thumb for
context and buffers; a long context of a large model needs more. Candidates are one's own runs, never published rows.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

from benchmarks.registry import of
from core.errors import UsageError
from core.results.rows import Candidate, Recommendation, ScoreRow
from core.results.runs import certain_runs, one_picture
from core.results.tables.scores import AVERAGES, scores_rows

ROOM = 1.1
DENSE_BITS = 16.0
_UNITS = {"b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_KNOWLEDGE = of("paper", "knowledge") + of("pocket", "knowledge")


def memory_of(text: str) -> float:
    """Bytes of `24GB`, `80 GiB`, `512MB`; a bare number means GB. Raises UsageError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?b)?\s*", text, re.IGNORECASE)
    if not match or float(match[1]) <= 0:
        raise UsageError(f"{text!r} is no amount of memory.", "Write 24GB or 80GiB.")
    return float(match[1]) * _UNITS[(match[2] or "gb").lower()]


def recommend(connection: sqlite3.Connection, memory: float, knowledge: bool = False) -> Recommendation:
    """{memory, knowledge, choice, reasons, front}; `choice` is a label or None.

    `front` lists every candidate from small to large: {variant, label, bytes, estimated, needs, fits, score, score_ci,
    knowledge, knowledge_ci, on_front}. A candidate has the average of three accuracies; with `knowledge` it also needs
    MuSiQue. Among those that fit, with `knowledge`, only those whose F1 chance may explain stay beside the best F1; then the
    highest average wins; the smallest variant within noise of it is named in the reasons.
    """
    with one_picture(connection):
        rows, sizes = scores_rows(connection), _sizes(connection)
    made = (_candidate(row, sizes[row["label"]], memory) for row in rows)
    candidates = sorted((candidate for candidate in made if candidate), key=lambda c: c["bytes"])
    if knowledge:
        candidates = [c for c in candidates if c["knowledge"] is not None]
    best = -1.0
    for candidate in candidates:
        candidate["on_front"] = candidate["score"] > best
        best = max(best, candidate["score"])
    choice, reasons = _choose(candidates, memory, knowledge)
    unsized = sum(row["average"] is not None and sizes[row["label"]][0] is None for row in rows)
    if unsized:
        which = "1 variant has" if unsized == 1 else f"{unsized} variants have"
        reasons.append(f"{which} scores but no known size (import with parameters and bits_per_weight).")
    return {"memory": memory, "knowledge": knowledge, "choice": choice, "reasons": reasons, "front": candidates}


def _sizes(connection: sqlite3.Connection) -> dict[str, tuple[float | None, bool]]:
    """Bytes of each label's weights, and whether they are estimated."""
    sizes: dict[str, tuple[float | None, bool]] = {}
    for run in certain_runs(connection):
        if run.bytes is not None:
            sizes[run.label] = float(run.bytes), False
            continue
        bits = run.bits_per_weight or (DENSE_BITS if run.compression == "none" else None)
        sizes[run.label] = (None if run.parameters is None or bits is None else run.parameters * bits / 8), True
    return sizes


def _candidate(row: ScoreRow, size: tuple[float | None, bool], memory: float) -> Candidate | None:
    """None without an average or a known size."""
    weights, estimated = size
    score, score_ci = row["average"], row["average_ci"]
    if score is None or score_ci is None or weights is None:
        return None
    cell = next((row["benchmarks"][name] for name in _KNOWLEDGE if name in row["benchmarks"]), None)
    return {
        "variant": row["variant"],
        "label": row["label"],
        "origin": row["origin"],
        "bytes": weights,
        "estimated": estimated,
        "needs": ROOM * weights,
        "fits": ROOM * weights <= memory,
        "score": score,
        "score_ci": score_ci,
        "knowledge": cell.get("f1") if cell else None,
        "knowledge_ci": cell.get("f1_ci") if cell else None,
        "on_front": False,
    }


def _choose(candidates: Sequence[Candidate], memory: float, knowledge: bool) -> tuple[str | None, list[str]]:
    fitting = [c for c in candidates if c["fits"]]
    if not candidates:
        lacks = "an average of three benchmarks, MuSiQue and a known size" if knowledge else "an average and a known size"
        trios = " or ".join(", ".join(trio) for trio in AVERAGES)
        return None, [f"Not enough data: no variant has {lacks}.", f"An average takes all three of {trios}."]
    if not fitting:
        least = min(candidates, key=lambda c: c["needs"])
        return None, [f"Nothing fits {gigabytes(memory)}: the smallest, {least['label']}, needs {gigabytes(least['needs'])}."]
    reasons = [f"{len(fitting)} of {len(candidates)} variants fit {gigabytes(memory)} (weights and {ROOM - 1:.0%} room)."]
    pool = fitting
    if knowledge:
        pool, known = _most_knowing(fitting)
        reasons += known
    first = max(pool, key=lambda c: c["score"])
    ties = [c for c in pool if c is not first and c["score_ci"][1] >= first["score_ci"][0]]
    smaller = [c for c in ties if c["bytes"] < first["bytes"]]
    choice = f"{first['label']} has the highest average, {first['score']:.1f} ({_ends(first['score_ci'])})"
    reasons.append(f"{choice}, and needs {gigabytes(first['needs'])}.")
    if smaller:
        least = min(smaller, key=lambda c: c["bytes"])
        least_says = f"{least['label']}, {least['score']:.1f} ({_ends(least['score_ci'])}) in {gigabytes(least['needs'])}"
        reasons.append(f"The smallest whose average is within noise of that: {least_says}.")
    return first["label"], reasons


def _most_knowing(fitting: Sequence[Candidate]) -> tuple[list[Candidate], list[str]]:
    """Those whose F1 chance may explain beside the best F1, and the reasons in words."""
    known = [(c, c["knowledge"], c["knowledge_ci"]) for c in fitting]
    scored = [(c, f1, ends) for c, f1, ends in known if f1 is not None and ends is not None]
    top, best, (least, _) = max(scored, key=lambda one: one[1])
    pool = [c for c, _, ends in scored if ends[1] >= least]
    reasons = [f"Knowledge matters: the best F1 is {best:.1f} ({top['label']})."]
    if len(pool) < len(fitting):
        reasons.append(f"{len(fitting) - len(pool)} variants know clearly less and are out.")
    return pool, reasons


def gigabytes(size: float | None) -> str:
    """A size in GB, or in MB where that is small."""
    if size is None:
        return "–"
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _ends(interval: Sequence[float]) -> str:
    return f"{interval[0]:.0f} to {interval[1]:.0f}"
