"""Scores: accuracy, or exact match and F1, of every variant on every benchmark, with their 95 % intervals.

Which runs are shown is told in `core.results.runs`. Accuracy and exact match are shares of the finished responses and
have Wilson intervals; F1 and averages have seeded bootstrap intervals (of no width where all values are equal). Where a
question was asked several times, scores are means over all samples, their intervals come from drawing questions (samples of
one question are no independent trials), and *pass at k* says how often one of k samples is right.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from itertools import groupby

from benchmarks.registry import of
from core.results.rows import ScoreCell, ScoreRow
from core.results.runs import Run, one_picture, shown_runs
from core.results.stats import Interval, bootstrap_average, wilson
from core.results.tables.audit import Audit

AVERAGES = (tuple(sorted(of("paper", "reasoning"))), tuple(sorted(of("pocket", "reasoning"))))
"""What *average* means: the paper's three accuracies; for a variant without them, the mini-suite's three."""


def scores_rows(connection: sqlite3.Connection) -> list[ScoreRow]:
    """What `lrm-tui scores --json` prints: one object for each variant (and engine), percent from 0 to 100.

    `benchmarks` maps names to counts (`n` planned, `finished`, `unparsed`: finished without an answer, `failed`: errors and
    cancelled), `run`, and scores with their `_ci`; for em_f1 also `strict_em` and `strict_f1` (the whole answer part graded
    as it stands). `average_of` names the three benchmarks behind `average`, both None until all three have finished
    responses. Where questions were asked several times there are `samples` (the fewest that one has) and `pass_at_k`. Where
    responses were stopped for repetition, which count as wrong, a cell says how many (`stopped`) and the score `corrected`
    by the audit, with `corrected_ci` (see `core.results.tables.audit`); where a person judged, how many (`by_hand`).
    """
    with one_picture(connection):
        runs = shown_runs(connection)
    return [_row(list(group)) for _, group in groupby(runs, key=lambda run: (run.variant_id, run.engine))]


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
        "label": first.label,
        "model": first.model,
        "family": first.family,
        "parameters": first.parameters,
        "compression": first.compression,
        "bits_per_weight": first.bits_per_weight,
        "sparsity": first.sparsity,
        "origin": first.origin,
        "engine": first.engine,
        "benchmarks": {run.benchmark: _cell(run) for run in runs},
        "average": average,
        "average_ci": percent_ends(interval),
        "average_of": of,
    }


def _cell(run: Run) -> ScoreCell:
    summary = run.summary
    n, credit_interval = summary.finished, wilson(summary.credit, summary.finished)
    cell: ScoreCell = {
        "n": summary.n,
        "finished": n,
        "unparsed": summary.unparsed,
        "failed": summary.failed,
        "run": run.run,
    }
    if run.metric == "accuracy":
        cell["accuracy"] = _share(summary.credit, n)
        cell["accuracy_ci"] = percent_ends(summary.score_ci or credit_interval)
    else:
        cell["em"] = _share(summary.credit, n)
        cell["em_ci"] = percent_ends(summary.em_ci or credit_interval)
        cell["f1"] = _share(summary.score, n)
        cell["f1_ci"] = percent_ends(summary.score_ci)
        cell["strict_em"] = _share(summary.strict_em, n)
        cell["strict_f1"] = _share(summary.strict_f1, n)
    if run.doubt:
        cell["doubt"] = run.doubt
    if summary.by_hand:
        cell["by_hand"] = summary.by_hand
    if summary.samples is not None and summary.pass_at_k is not None:
        cell["samples"] = summary.samples
        cell["pass_at_k"] = 100 * summary.pass_at_k
    if summary.stopped:
        audit = Audit.of(summary)
        cell["stopped"] = audit.stopped
        cell["corrected"] = None if audit.corrected is None else 100 * audit.corrected
        cell["corrected_ci"] = percent_ends(audit.corrected_interval)
    return cell


def _share(total: float, n: int) -> float | None:
    return 100 * (total / n) if n else None


def percent_ends(interval: Interval | None) -> list[float] | None:
    """An interval from 0 to 1 in percent."""
    return None if interval is None else [100 * end for end in interval]


def _average(runs: Mapping[str, Run]) -> tuple[float | None, Interval | None, list[str] | None]:
    for parts in AVERAGES:
        if not set(parts) <= set(runs):
            continue
        summaries = [runs[name].summary for name in parts]
        if not all(one.finished for one in summaries):
            continue
        # samples of one question are no independent trials
        trials = [(one.questions or one.finished, one.credit / one.finished) for one in summaries]
        interval = bootstrap_average([(share * n, n) for n, share in trials])
        return 100 * sum(share for _, share in trials) / len(parts), interval, list(parts)
    return None, None, None
