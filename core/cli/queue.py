"""add, sweep, ls, clone, move, cancel, pause, requeue: the queue by command."""

from __future__ import annotations

import sqlite3
from argparse import Namespace
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from core.cli.common import console, data_folder, follow, print_json, reading, store
from core.compress.recipes import NONE, expand
from core.jobs import queue
from core.jobs.models import EMBEDDED, resolve
from core.runner.client import ensure_runner
from core.spec import RunSpec, Sampling
from core.store.connection import connect, translated
from core.store.snapshot import JobRow
from core.store.watch import read
from core.text import printable

FORETOLD = ("benchmark", "compression", "engine", "limit", "seed")
"""What of a run's specification tells it from the others of one forecast."""


def add(given: Namespace) -> int:
    """Queue a grid of runs and make sure that a runner serves them."""
    specs = []
    for model in given.model:
        limit = given.max_tokens or resolve(model).default_limit
        sampling = Sampling(given.temperature, given.top_p, given.top_k, given.min_p, limit, tuple(given.stop))
        template = RunSpec(
            model,
            "none",
            "",
            given.engine,
            sampling,
            given.seed,
            given.limit,
            given.policy,
            given.audit_share,
            data_folder(given),
            given.prompts,
            given.gpus,
            given.replicas,
        )
        compressions = expand(given.compression or [NONE], given.calibration)
        specs += queue.grid([model], compressions, given.benchmark, template)
    path = store(given)
    if given.dry_run:
        return _foretell(given, specs)
    connection = connect(path, "user")
    with translated(path):
        ids = queue.add(connection, specs)
    connection.close()
    ensure_runner(path)
    if given.json and not given.wait:
        print_json({"jobs": ids})
    elif not given.json:
        print(f"queued: {', '.join(f'#{i}' for i in ids)}")
    if not given.wait:
        return 0
    done = follow(path, ids)
    if given.json:
        print_json({"jobs": ids, "done": done})
    return 0 if done else 1


def _foretell(given: Namespace, specs: list[RunSpec]) -> int:
    """Print what the runs would take, and queue nothing."""
    from core.jobs.estimate import estimate

    path = store(given)
    try:
        with closing(connect(path, "reader")) as connection, translated(path):
            found = estimate(connection, specs)
    except FileNotFoundError:
        found = estimate(None, specs)
    if given.json:
        print_json([{**asdict(one), "spec": {name: getattr(one.spec, name) for name in FORETOLD}} for one in found])
        return 0
    table = Table(box=None, pad_edge=False)
    for heading in ("variant", "benchmark", "questions", "weights", "side by side", "minutes"):
        table.add_column(heading, justify="left" if heading in ("variant", "benchmark") else "right")
    for one in found:
        weights = "" if one.size is None else f"{'' if one.made else 'about '}{one.size / 2**30:.2f} GiB"
        minutes = "unknown" if one.seconds is None else f"{one.seconds / 60:.0f}"
        fits = "" if one.slots is None else str(one.slots) if one.slots else "does not fit"
        name = f"{one.model} {one.spec.compression}"
        table.add_row(*(Text(printable(c)) for c in (name, one.spec.benchmark, str(one.questions), weights, fits, minutes)))
    console().print(table)
    return 0


def clone(given: Namespace) -> int:
    """Queue runs like earlier ones."""
    reading(given).close()
    path = store(given)
    with closing(connect(path, "user")) as connection, translated(path):
        ids = queue.add(connection, [queue.spec_of(connection, job) for job in given.jobs])
    ensure_runner(path)
    print(f"queued: {', '.join(f'#{i}' for i in ids)}")
    return 0


def move(given: Namespace) -> int:
    """Move a waiting job up or down the queue."""
    reading(given).close()
    path = store(given)
    with closing(connect(path, "user")) as connection, translated(path):
        for _ in range(abs(given.steps)):
            queue.move(connection, given.job, 1 if given.steps > 0 else -1)
    return 0


def sweep(given: Namespace) -> int:
    """Queue one model with every compression that the paper compares."""
    if not given.benchmark:
        from benchmarks.registry import get, names

        embedded = given.model[0] in EMBEDDED
        given.benchmark = [name for name in names() if (get(name).suite == "pocket") == embedded]
    return add(given)


def ls(given: Namespace) -> int:
    """List the queue."""
    connection = reading(given)
    with translated(store(given)):
        snapshot = read(connection)
    if given.json:
        print_json([asdict(job) for job in snapshot.jobs])
        return 0
    console().print(
        queue_table(snapshot.jobs) if snapshot.jobs else "The queue is empty. `lrm-tui add --help` says how to fill it."
    )
    return 0


def queue_table(rows: tuple[JobRow, ...]) -> Table:
    """The queue as a table that fits 80 columns."""
    table = Table(box=None, pad_edge=False)
    for heading in ("job", "state", "variant", "benchmark", "done", "tok/s", "loops", "note"):
        table.add_column(heading, justify="right" if heading in ("job", "done", "tok/s", "loops") else "left", overflow="fold")
    for job in rows:
        cells = (
            str(job.id),
            job.state if job.wanted is None else f"{job.state}, {job.wanted} asked",
            f"{job.model} {job.compression}",
            job.benchmark or "prepare",
            f"{job.done}/{'?' if job.total is None else job.total}",
            "" if job.tokens_per_second is None else f"{job.tokens_per_second:,.0f}",
            str(job.loops) if job.loops else "",
            job.error or "",
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _each(given: Namespace, operation: Callable[[sqlite3.Connection, int], None], done: str) -> int:
    path = store(given)
    reading(given).close()
    connection = connect(path, "user")
    with translated(path):
        for job in given.jobs:
            operation(connection, job)
            print(f"#{job} {done}")
    connection.close()
    return 0


def cancel(given: Namespace) -> int:
    """Cancel jobs."""
    return _each(given, queue.cancel, "cancelled")


def pause(given: Namespace) -> int:
    """Pause jobs."""
    return _each(given, queue.pause, "paused")


def requeue(given: Namespace) -> int:
    """Requeue jobs and make sure that a runner serves them."""
    code = _each(given, queue.requeue, "queued")
    ensure_runner(store(given))
    return code
