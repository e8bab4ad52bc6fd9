"""Scores: accuracy, or exact match and F1, of every variant on every benchmark, with their 95 % intervals.

Which runs stand in a row is told in `core.results.runs`. A score is the mean over questions of each question's mean over its
samples, and its interval tells of which questions were asked (`core.results.stats`). With several samples *pass at k* says how
often one of k is right, *majority* how often the most frequent answer is.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from itertools import groupby

from benchmarks.registry import of
from core.results.rows import ScoreCell, ScoreRow
from core.results.runs import Run, line, one_picture, shown_runs
from core.results.stats import Interval, mover
from core.results.tables.audit import Audit

AVERAGES = (tuple(sorted(of("paper", "reasoning"))), tuple(sorted(of("pocket", "reasoning"))))
"""What *average* means: the paper's three accuracies; for a variant without them, the mini-suite's three."""


def scores_rows(connection: sqlite3.Connection) -> list[ScoreRow]:
    """What `lrm-tui scores --json` prints: one object a row, percent from 0 to 100.

    A row is a variant on an engine under one sampling (`sampling`); runs that differ in their limit, prompt or questions have
    rows of their own. `benchmarks` maps names to `n` (questions asked), `finished` (of them with a finished response),
    `responses` (finished) of `planned`, `samples` (the fewest of a question), `unparsed` (finished without an answer), `failed`
    (errors and cancelled), `run` and `runs`, `limit`, `prompt` and `questions` (versions), and scores with their `_ci` and the
    score's `error` (standard error); for em_f1 also `strict_em` and `strict_f1` (the whole answer part graded as it stands).
    `endings` counts responses by how they ended; `share_cut` of them were cut, `ended_score` (with `ended_ci`) is the score of
    the others, `bound` the score if every cut one were right, `lenient` the score if what ended in its thinking is graded as if
    all of it were answer (None where nothing did), `effective_limit` the tokens at which outputs were cut below their limit
    (else None). With several samples `pass_at_k` and `majority`. `average_of` names the three benchmarks behind `average`, both
    None until all three have finished responses. Where responses were stopped for repetition, which count as wrong, a cell says
    how many (`stopped`) and the score `corrected` by the audit, with `corrected_ci` (see `core.results.tables.audit`); where a
    person judged, how many (`by_hand`); where it is doubtful, why (`doubt`).
    """
    with one_picture(connection):
        runs = shown_runs(connection)
    return [_row(list(group)) for _, group in groupby(runs, key=line)]


def by_benchmark(rows: Sequence[ScoreRow]) -> list[dict[str, object]]:
    """One row for each variant and benchmark, as CSV wants them; of some variants the paper printed an average alone."""
    flat: list[dict[str, object]] = []
    for row in rows:
        about: dict[str, object] = {name: value for name, value in row.items() if name != "benchmarks"}
        flat += [{**about, "benchmark": name, **cell} for name, cell in row["benchmarks"].items()]
        if not row["benchmarks"]:
            flat.append({**about, "benchmark": None})
    return flat


def _row(runs: Sequence[Run]) -> ScoreRow:
    average, interval, of = _average({run.benchmark: run for run in runs})
    first = runs[0]
    return {
        "variant": first.variant,
        "label": max((run.label for run in runs), key=len),
        "model": first.model,
        "family": first.family,
        "parameters": first.parameters,
        "compression": first.compression,
        "bits_per_weight": first.bits_per_weight,
        "sparsity": first.sparsity,
        "origin": first.origin,
        "engine": first.engine,
        "sampling": json.loads(first.protocol.sampling),
        "main": any(run.main and run.doubt is None for run in runs),
        "benchmarks": {run.benchmark: _cell(run) for run in runs},
        "average": average,
        "average_ci": percent_ends(interval),
        "average_of": of,
    }


def _cell(run: Run) -> ScoreCell:
    summary = run.summary
    cell: ScoreCell = {
        "n": summary.questions,
        "finished": summary.n,
        "responses": summary.finished,
        "planned": summary.planned,
        "samples": summary.samples,
        "unparsed": summary.unparsed,
        "failed": summary.failed,
        "run": run.run,
        "runs": list(run.runs),
        "limit": run.limit,
        "prompt": run.protocol.prompt,
        "questions": run.protocol.benchmark,
        "error": _percent(summary.error),
    }
    if run.metric == "accuracy":
        cell["accuracy"], cell["accuracy_ci"] = _percent(summary.credit), percent_ends(summary.credit_ci)
    else:
        cell["em"], cell["em_ci"] = _percent(summary.credit), percent_ends(summary.credit_ci)
        cell["f1"], cell["f1_ci"] = _percent(summary.score), percent_ends(summary.score_ci)
        cell["strict_em"], cell["strict_f1"] = _percent(summary.strict_em), _percent(summary.strict_f1)
    cell["endings"], cell["effective_limit"] = summary.endings, summary.effective_limit
    cell["share_cut"], cell["bound"] = _percent(summary.cut_share), _percent(summary.bound)
    cell["ended_score"], cell["ended_ci"] = _percent(summary.ended_score), percent_ends(summary.ended_ci)
    cell["lenient"] = _percent(summary.lenient)
    if run.doubt:
        cell["doubt"] = run.doubt
    if summary.by_hand:
        cell["by_hand"] = summary.by_hand
    if summary.pass_at_k is not None and summary.majority is not None:
        cell["pass_at_k"], cell["majority"] = 100 * summary.pass_at_k, 100 * summary.majority
    if summary.stopped:
        audit = Audit.of(summary)
        cell["stopped"] = audit.stopped
        cell["corrected"] = _percent(audit.corrected)
        cell["corrected_ci"] = percent_ends(audit.corrected_interval)
    return cell


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def percent_ends(interval: Interval | None) -> list[float] | None:
    """An interval from 0 to 1 in percent."""
    return None if interval is None else [100 * end for end in interval]


def _average(runs: Mapping[str, Run]) -> tuple[float | None, Interval | None, list[str] | None]:
    """The average of three benchmarks, its interval and their names; a doubtful run gives none, since it may be another's."""
    runs = {name: run for name, run in runs.items() if run.doubt is None}
    for parts in AVERAGES:
        known = [(s.credit, s.credit_ci) for name in parts if name in runs and (s := runs[name].summary).n]
        scores = [(credit, ends, 1 / len(parts)) for credit, ends in known if credit is not None and ends is not None]
        if len(scores) == len(parts):
            low, high = mover(scores)
            return 100 * sum(credit for credit, _, _ in scores) / len(parts), (max(0.0, low), min(1.0, high)), list(parts)
    return None, None, None
