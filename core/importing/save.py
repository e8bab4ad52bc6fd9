"""Stores imported runs: all of them in one transaction, each at most once.

An imported run is a finished job of the engine `imported`; its `engine_version` holds the hash of its outputs, by which
the same outputs are known again, and `data_folder` the file or folder that they came from.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.grading.settle import settle
from core.importing.match import Run
from core.spec import TemplateOptions
from core.store.connection import transaction
from core.store.response_writes import item_id
from core.store.variants import artifact_row, variant_row

ENGINE = "imported"


@dataclass(frozen=True, slots=True)
class Imported:
    """A stored run: its job, and whether the store had its outputs already."""

    job: int
    run: Run
    known: bool


def store(connection: sqlite3.Connection, runs: Sequence[tuple[Run, str]]) -> list[Imported]:
    """Store runs, each with the path that it came from; all of them or none."""
    with transaction(connection):
        return [_one(connection, run, source) for run, source in runs]


def _one(connection: sqlite3.Connection, run: Run, source: str) -> Imported:
    variant = _variant(connection, run, source)
    version = f"sha256 {run.fingerprint}"
    known = connection.execute(
        "SELECT id FROM jobs WHERE variant_id = ? AND benchmark = ? AND engine = ? AND engine_version = ?",
        (variant, run.benchmark, ENGINE, version),
    ).fetchone()
    if known:
        connection.execute("UPDATE jobs SET sampling = ? WHERE id = ? AND sampling = '{}'", (run.sampling, known[0]))
        return Imported(int(known[0]), run, True)
    now = time.time()
    job = connection.execute(
        "INSERT INTO jobs (kind, state, position, variant_id, benchmark, engine, sampling, policy, data_folder, "
        "engine_version, created, started, finished, message) "
        "VALUES ('run', 'done', (SELECT coalesce(max(position), 0) + 1 FROM jobs), ?, ?, ?, ?, 'observe', ?, ?, ?, ?, ?, ?)",
        (variant, run.benchmark, ENGINE, run.sampling, source, version, now, now, now, f"imported from {Path(source).name}"),
    ).lastrowid
    assert job is not None
    for response in run.responses:
        row = {
            **response.columns,
            **{"job_id": job, "item_id": item_id(connection, run.benchmark, response.item), "position": response.position},
            **{"sample": response.sample, "seed": 0, "state": "done", "finished": now},
        }
        marks = ", ".join(f":{name}" for name in row)
        cursor = connection.execute(f"INSERT INTO responses ({', '.join(row)}) VALUES ({marks})", row)
        connection.execute(
            "INSERT INTO response_texts (response_id, prompt, text) VALUES (?, ?, ?)",
            (cursor.lastrowid, response.prompt, response.text),
        )
    settle(connection, job)
    return Imported(job, run, False)


def _variant(connection: sqlite3.Connection, run: Run, source: str) -> int:
    """The variant of that name, made where there is none; what is known of it already stays."""
    artifact = artifact_row(connection, _model(connection, run, source), "hf", run.compression)
    connection.execute(
        "UPDATE artifacts SET parameters = coalesce(parameters, ?), bits_per_weight = coalesce(bits_per_weight, ?), "
        "sparsity = coalesce(sparsity, ?) WHERE id = ?",
        (run.parameters, run.bits_per_weight, run.sparsity, artifact),
    )
    return variant_row(connection, artifact, TemplateOptions(), None)


def _model(connection: sqlite3.Connection, run: Run, source: str) -> int:
    connection.execute(
        "INSERT OR IGNORE INTO models (name, source, format, family) VALUES (?, ?, 'hf', ?)",
        (run.model, source, run.model.lower()),
    )
    return int(connection.execute("SELECT id FROM models WHERE name = ?", (run.model,)).fetchone()[0])
