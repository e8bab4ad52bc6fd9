"""Which runs the tables show.

A variant may have been run on a benchmark more than once (other seeds, limits, fewer questions). The tables show one
run for each variant, engine and benchmark: the one with the most finished responses, of equals the newest. Runs are
never pooled, because responses under different settings are no sample of one thing.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from benchmarks.base import Metric
from benchmarks.registry import get, names
from core.results.run_summary import RunSummary, summarise
from core.results.summary_cache import cached
from core.store.joins import JOBS, MODEL, VARIANT

_RUNS = f"""
SELECT j.id AS run, j.variant_id, {VARIANT} AS variant, {MODEL} AS model, m.family, a.parameters,
       a.compression, a.bytes, a.bits_per_weight, 100 * a.sparsity AS sparsity, j.engine, j.benchmark, j.created, j.doubt
FROM {JOBS}
WHERE j.kind = 'run' AND (:run IS NULL OR j.id = :run)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that the tables show. `label` is the variant's name, with its engine where it ran on several, and marked where it
    is doubtful; `doubt` says why it may have had other weights than its row says. `sparsity` is in percent of the weights.
    """

    run: int
    variant_id: int
    variant: str
    label: str
    model: str
    family: str
    parameters: int | None
    compression: str
    bytes: int | None
    bits_per_weight: float | None
    sparsity: float | None
    engine: str
    benchmark: str
    created: float
    doubt: str | None
    summary: RunSummary

    @property
    def origin(self) -> Literal["imported", "measured"]:
        """Whether the outputs were made here."""
        return "imported" if self.engine == "imported" else "measured"

    @property
    def metric(self) -> Metric:
        """How its benchmark is graded."""
        return get(self.benchmark).metric


@contextmanager
def one_picture(connection: sqlite3.Connection) -> Iterator[None]:
    """A read transaction: every query in the block sees the same state of the store, even while the runner writes."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def certain_runs(connection: sqlite3.Connection) -> list[Run]:
    """The runs that the tables show, without the doubtful ones: what is concluded from several runs rests on these."""
    return [run for run in shown_runs(connection) if run.doubt is None]


def shown_runs(connection: sqlite3.Connection, run: int | None = None) -> list[Run]:
    """The run of each variant, engine and benchmark that the tables show; or one run by its number.

    Runs go by family, model, falling bits, rising sparsity, then by the order of the benchmarks. A run without responses
    has nothing to show.
    """
    summaries = cached(connection)
    runs = [_run(connection, row, summaries) for row in connection.execute(_RUNS, {"run": run}).fetchall()]
    best: dict[tuple[int, str, str], Run] = {}
    for one in sorted(runs, key=lambda one: (one.doubt is None, one.summary.finished, one.created, one.run)):
        if one.summary.n:
            best[one.variant_id, one.engine, one.benchmark] = one
    return sorted(_labelled(list(best.values())), key=_sort_key)


def _run(connection: sqlite3.Connection, row: sqlite3.Row, summaries: dict[int, RunSummary]) -> Run:
    summary = summaries.get(row["run"]) or summarise(connection, row["run"], row["benchmark"])[0]
    return Run(**dict(row), label=row["variant"], summary=summary)


def _labelled(runs: list[Run]) -> Iterator[Run]:
    engines: defaultdict[str, set[str]] = defaultdict(set)
    for run in runs:
        engines[run.variant].add(run.engine)
    for run in runs:
        notes = [run.engine] if len(engines[run.variant]) > 1 else []
        notes += ["doubtful"] if run.doubt else []
        yield replace(run, label=f"{run.variant} ({', '.join(notes)})") if notes else run


def _sort_key(run: Run) -> tuple[str, str, float, float, int, str, int]:
    """Dense variants come first, then fewer bits; an unknown number of bits comes last."""
    saved = float("inf") if run.bits_per_weight is None else -run.bits_per_weight
    return run.family, run.model, saved, run.sparsity or 0.0, run.variant_id, run.engine, _order()[run.benchmark]


@cache
def _order() -> dict[str, int]:
    return {name: number for number, name in enumerate(names(training=True))}
