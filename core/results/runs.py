"""Which runs the tables speak of, pooled where they are alike.

Runs of one variant and engine on one benchmark, under one protocol (sampling, prompt, benchmark version) and with one limit of
questions, are samples of the same thing: their responses are pooled, question by question. Runs that differ in any of these
stand in rows of their own, whose labels tell what differs. What is concluded from several variants rests on the main rows
alone: of each variant and engine the sampling under which most questions were asked, of each benchmark the row with most.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np

from benchmarks.base import Metric
from benchmarks.registry import get, names
from core.results.responses import planned_of, read_responses
from core.results.run_summary import RunSummary, summarise
from core.results.summary_cache import cached_rows, cached_summaries
from core.store.joins import JOBS, MODEL, VARIANT

_RUNS = f"""
SELECT j.id, j.variant_id, {VARIANT} AS variant, {MODEL} AS model, m.family, a.parameters, a.compression, a.bytes,
       a.bits_per_weight, 100 * a.sparsity AS sparsity, j.engine, j.benchmark, j.created, j.doubt, j.sampling,
       j.prompt_version, j.benchmark_version, j.item_limit, j.message
FROM {JOBS}
WHERE j.kind = 'run' AND (:run IS NULL OR j.id = :run) AND EXISTS (SELECT 1 FROM responses r WHERE r.job_id = j.id)
ORDER BY j.created, j.id
"""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How questions were asked: `sampling` as canonical JSON, the versions of prompt and benchmark (None: unknown)."""

    sampling: str
    prompt: str | None
    benchmark: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """Alike runs, as the tables show them. `run` is the latest of `runs`.

    `label` is the variant's name with what tells it from other rows of that variant, and marked where it is doubtful; `doubt`
    says why it may have had other weights than its row says. `sparsity` is in percent of the weights. `rank` is its place
    among the rows of its variant, engine, benchmark and sampling, `main` whether it is the first under the main sampling.
    """

    run: int
    runs: tuple[int, ...]
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
    protocol: Protocol
    limit: int | None
    source: str
    rank: int
    main: bool
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
    """Several queries over one state of the store, even while the runner writes."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def main_runs(connection: sqlite3.Connection) -> list[Run]:
    """The main rows without the doubtful: what is concluded from several variants rests on these."""
    return [run for run in shown_runs(connection) if run.main and run.doubt is None]


def shown_runs(connection: sqlite3.Connection, run: int | None = None) -> list[Run]:
    """The rows that tables show, alike runs pooled; or one run by its number, by itself.

    Rows go by family, model, falling bits, rising sparsity, then by the order of the benchmarks. A run without responses has
    nothing to show.
    """
    groups: defaultdict[tuple[object, ...], list[sqlite3.Row]] = defaultdict(list)
    rows = connection.execute(_RUNS, {"run": run}).fetchall()
    versions = _versions(rows)
    for row in rows:
        groups[_key(row, versions)].append(row)
    summaries = cached_summaries(connection)
    pooled = [_pooled(connection, group, versions, summaries) for group in groups.values()]
    return sorted(_labelled(_ranked(pooled)), key=_sort_key)


def responses_of(connection: sqlite3.Connection, runs: Iterable[Run]) -> dict[int, np.ndarray]:
    """The finished responses behind rows, by their `run`: arrays of dtype `ROW`, each [responses]."""
    wanted = list(runs)
    numbers = [number for run in wanted for number in run.runs]
    arrays = cached_rows(connection, numbers)
    missing = {number: read_responses(connection, number)[1] for number in numbers if number not in arrays}
    return {run.run: np.concatenate([(arrays | missing)[number] for number in run.runs]) for run in wanted}


def _versions(rows: Sequence[sqlite3.Row]) -> dict[tuple[str, str | None], set[str]]:
    """The known benchmark versions of runs by benchmark and prompt; runs of older stores do not know theirs."""
    versions: defaultdict[tuple[str, str | None], set[str]] = defaultdict(set)
    for row in rows:
        if row["benchmark_version"] is not None:
            versions[row["benchmark"], row["prompt_version"]].add(row["benchmark_version"])
    return versions


def _protocol(row: sqlite3.Row, versions: dict[tuple[str, str | None], set[str]]) -> Protocol:
    """A run's protocol; an unknown version of the benchmark is the known one where there is only one."""
    known = versions.get((row["benchmark"], row["prompt_version"]), set())
    only = next(iter(known)) if len(known) == 1 else None
    return Protocol(row["sampling"], row["prompt_version"], row["benchmark_version"] or only)


def _key(row: sqlite3.Row, versions: dict[tuple[str, str | None], set[str]]) -> tuple[object, ...]:
    """The same for runs that are alike. How an imported run was asked is unknown, so that it is like no other."""
    alone = row["id"] if row["engine"] == "imported" or row["doubt"] else None
    return row["variant_id"], row["engine"], row["benchmark"], _protocol(row, versions), row["item_limit"], alone


def _pooled(
    connection: sqlite3.Connection,
    group: Sequence[sqlite3.Row],
    versions: dict[tuple[str, str | None], set[str]],
    summaries: dict[int, RunSummary],
) -> Run:
    last = group[-1]
    same = {name: last[name] for name in _SAME}
    return Run(
        **same,
        run=last["id"],
        runs=tuple(row["id"] for row in group),
        label=last["variant"],
        protocol=_protocol(last, versions),
        limit=last["item_limit"],
        source=last["message"] if last["engine"] == "imported" else "",
        rank=0,
        main=False,
        summary=_summary(connection, [row["id"] for row in group], summaries),
    )


def _summary(connection: sqlite3.Connection, runs: Sequence[int], summaries: dict[int, RunSummary]) -> RunSummary:
    if len(runs) == 1:
        return summaries.get(runs[0]) or summarise(*read_responses(connection, runs[0]))
    arrays = cached_rows(connection, runs)
    rows = [arrays[run] if run in arrays else read_responses(connection, run)[1] for run in runs]
    return summarise(planned_of(connection, runs), np.concatenate(rows))


def _ranked(runs: Sequence[Run]) -> Iterator[Run]:
    """Each row with its rank, those that are certain and have most questions first, and whether it is a main one."""
    groups: defaultdict[tuple[int, str, str, str], list[Run]] = defaultdict(list)
    questions: defaultdict[tuple[int, str], Counter[str]] = defaultdict(Counter)
    for run in runs:
        groups[run.variant_id, run.engine, run.benchmark, run.protocol.sampling].append(run)
        questions[run.variant_id, run.engine][run.protocol.sampling] += run.summary.n
    for (variant, engine, _, sampling), group in groups.items():
        group.sort(key=lambda one: (one.doubt is None, one.summary.n, one.created, one.run), reverse=True)
        asked_most = questions[variant, engine].most_common(1)[0][0]
        yield from (replace(run, rank=rank, main=not rank and sampling == asked_most) for rank, run in enumerate(group))


def _labelled(ranked: Iterable[Run]) -> Iterator[Run]:
    """Rows with what tells them from others of their variant: the engine, the sampling, and what is different behind rank 0."""
    runs = list(ranked)
    engines: defaultdict[str, set[str]] = defaultdict(set)
    samplings: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
    for run in runs:
        engines[run.variant].add(run.engine)
        samplings[run.variant_id, run.engine].add(run.protocol.sampling)
    first = {(run.variant_id, run.engine, run.benchmark, run.protocol.sampling): run for run in runs if not run.rank}
    for run in runs:
        notes = [run.engine] if len(engines[run.variant]) > 1 else []
        notes += _sampling_notes(run.protocol.sampling, samplings[run.variant_id, run.engine])
        if run.rank:
            notes += _other_notes(run, first[run.variant_id, run.engine, run.benchmark, run.protocol.sampling])
        notes += ["doubtful"] if run.doubt else []
        yield replace(run, label=f"{run.variant} ({', '.join(notes)})") if notes else run


def _sampling_notes(sampling: str, all_of_variant: set[str]) -> list[str]:
    """The values of a sampling that differ within a variant, such as `temperature 0.9`."""
    values = [json.loads(text) for text in all_of_variant]
    differing = [
        name for name in {n: None for one in values for n in one} if len({json.dumps(one.get(name)) for one in values}) > 1
    ]
    mine = json.loads(sampling)
    return [f"{name} {mine[name]}" for name in differing if name in mine]


def _other_notes(run: Run, first: Run) -> list[str]:
    """What tells a row from the first of its variant, engine, benchmark and sampling."""
    notes = []
    if run.limit != first.limit:
        notes.append(f"limit {run.limit or 'none'}")
    if run.protocol.prompt != first.protocol.prompt:
        notes.append(f"prompt {(run.protocol.prompt or 'unknown')[:8]}")
    if run.protocol.benchmark != first.protocol.benchmark:
        notes.append(f"questions {(run.protocol.benchmark or 'unknown')[:8]}")
    if run.engine == "imported":
        notes.append(f"{run.source or 'imported'}, run {run.run}")
    return notes or [f"run {run.run}"]


def _sort_key(run: Run) -> tuple[str, str, float, float, int, str, str, int, int]:
    """Dense variants come first, then fewer bits, unknown bits last. Rows of one line of a table stay together."""
    saved = float("inf") if run.bits_per_weight is None else -run.bits_per_weight
    order = _order().get(run.benchmark, len(_order()))
    return run.family, run.model, saved, run.sparsity or 0.0, run.variant_id, run.engine, *line(run)[2:], order


def line(run: Run) -> tuple[int, str, str, int]:
    """The same for rows that stand in one line of a table with a column a benchmark."""
    return run.variant_id, run.engine, run.protocol.sampling, run.rank


@cache
def _order() -> dict[str, int]:
    return {name: place for place, name in enumerate(names(training=True))}


_SAME = (
    "variant_id", "variant", "model", "family", "parameters", "compression", "bytes", "bits_per_weight", "sparsity", "engine",
    "benchmark", "created", "doubt",
)  # fmt: skip
