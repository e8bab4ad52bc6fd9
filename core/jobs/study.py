"""The embedded family's study: teacher, student and their variants over the mini-suite, as in the paper's tables.

The demo is a sample of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.registry import of
from core.compress.recipes import DYNAMIC, NONE, PRUNED
from core.jobs import queue
from core.jobs.engines import names as engines
from core.jobs.models import resolve
from core.spec import ACTIVE_STATES, RunSpec, Sampling
from core.store.connection import opened
from core.store.joins import JOBS

FAMILY = {"pocket": (NONE, "q8_0", "q4_0", *DYNAMIC, *PRUNED, "sparsegpt-85"), "pocket-student": (NONE, *PRUNED)}
"""What is scored of each model. As in the paper the teacher is quantized, and teacher and student are pruned.

The teacher to 85 % too: at the paper's last level, 80 %, it does not yet repeat itself.
"""
BENCHMARKS = of("pocket")
DEMO_LIMIT = 40
STUDY_LIMIT, SEEDS = 200, (0, 1, 2)
"""Questions a benchmark, and the seeds that draw them."""


def queue_demo(path: Path, limit: int, family: Mapping[str, Sequence[str]] = FAMILY) -> list[int]:
    """Queue the demo unless runs of the embedded family are still open (then those go on). Returns their ids."""
    with opened(path, "user") as connection:
        states = ", ".join(f"'{state}'" for state in ACTIVE_STATES)
        left = [int(row["id"]) for row in _runs(connection, f"j.state IN ({states})")]
        return left or queue.add(connection, _specs(limit, 0, family))


def queue_study(path: Path, limit: int, models: Sequence[str] = tuple(FAMILY), samples: int = 1) -> list[int]:
    """Queue what of the study of these models this store neither has nor waits for. Returns the ids of all its runs."""
    family = {model: FAMILY[model] for model in models}
    with opened(path, "user") as connection:
        runs = {
            (row["name"], row["compression"], row["benchmark"], row["seed"]): int(row["id"])
            for row in _runs(
                connection,
                f"j.state NOT IN ('failed', 'cancelled') AND j.item_limit = {int(limit)} AND j.samples = {int(samples)}",
            )
        }
        specs = [spec for seed in SEEDS for spec in _specs(limit, seed, family, samples)]
        missing = [spec for spec in specs if (spec.model, spec.compression, spec.benchmark, spec.seed) not in runs]
        added = queue.add(connection, missing)
        cells = {(spec.model, spec.compression, spec.benchmark, spec.seed) for spec in specs}
        return sorted([*added, *(run for cell, run in runs.items() if cell in cells)])


def _specs(limit: int, seed: int, family: Mapping[str, Sequence[str]], samples: int = 1) -> list[RunSpec]:
    specs = []
    for model, compressions in family.items():
        sampling = Sampling(max_tokens=resolve(model).default_limit)
        template = RunSpec(model, NONE, "", engines()[0], sampling, limit=limit, samples=samples)
        specs += queue.grid([model], compressions, BENCHMARKS, replace(template, seed=seed))
    return specs


def _runs(connection: sqlite3.Connection, which: str) -> list[sqlite3.Row]:
    return connection.execute(
        f"SELECT j.id, j.benchmark, j.seed, a.compression, m.name FROM {JOBS} "
        f"WHERE j.kind = 'run' AND m.name IN ({', '.join('?' * len(FAMILY))}) AND {which} "
        "ORDER BY j.id",
        tuple(FAMILY),
    ).fetchall()
