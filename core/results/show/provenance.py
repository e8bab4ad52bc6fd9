"""Where every number of a report comes from: runs with their hashes, and the versions of what computed it."""

from __future__ import annotations

import json
import platform
import sqlite3
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version

from core.results.rows import Provenance, ProvenanceRun
from core.results.show.sheets import UNKNOWN, Cell, Sheet
from core.spec import Sampling
from core.store.joins import JOBS, MODEL

_RUNS = f"""
SELECT j.id AS run, {MODEL} AS model, a.compression, j.benchmark, j.engine, j.engine_version,
       coalesce(j.weights_sha256, a.sha256) AS weights_sha256, a.bytes,
       j.prompt_version, j.benchmark_version, j.sampling, j.seed, j.item_limit, j.policy, j.created, j.finished, j.doubt,
       (SELECT count(*) FROM responses r WHERE r.job_id = j.id) AS responses
FROM {JOBS}
WHERE j.kind = 'run' AND j.id IN (SELECT value FROM json_each(?)) ORDER BY j.id
"""


def provenance(connection: sqlite3.Connection, runs: list[int]) -> Provenance:
    """{versions, runs}: each run with engine, versions, hash of its weights, sampling, seed, policy and times."""
    rows = [_run(row) for row in connection.execute(_RUNS, (json.dumps(runs),))]
    schema = int(connection.execute("PRAGMA user_version").fetchone()[0])
    packages = {name: _version(name) for name in ("lrm-tui", "numpy", "pandas")}
    return {"versions": {**packages, "python": platform.python_version(), "schema": schema}, "runs": rows}


def _run(row: sqlite3.Row) -> ProvenanceRun:
    return {
        "run": row["run"],
        "model": row["model"],
        "compression": row["compression"],
        "benchmark": row["benchmark"],
        "engine": row["engine"],
        "engine_version": row["engine_version"],
        "weights_sha256": row["weights_sha256"],
        "bytes": row["bytes"],
        "prompt_version": row["prompt_version"],
        "benchmark_version": row["benchmark_version"],
        "sampling": _in_order(json.loads(row["sampling"])),
        "seed": row["seed"],
        "item_limit": row["item_limit"],
        "policy": row["policy"],
        "created": row["created"],
        "finished": row["finished"],
        "doubt": row["doubt"],
        "responses": row["responses"],
    }


def _in_order(sampling: dict[str, object]) -> dict[str, object]:
    """Sampling with the temperature first, as people write it; an imported run has none."""
    return {field.name: sampling[field.name] for field in fields(Sampling) if field.name in sampling}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def provenance_sheet(origin: Provenance) -> Sheet:
    """A line a run."""
    body = [
        (
            *(Cell(f"run {row['run']}"), Cell(f"{row['model']} {row['compression']}"), Cell(row["benchmark"])),
            Cell(row["engine"], (row["engine_version"] or UNKNOWN,)),
            Cell((row["weights_sha256"] or UNKNOWN)[:16]),
            Cell(row["prompt_version"] or UNKNOWN),
            Cell(", ".join(f"{name} {value}" for name, value in row["sampling"].items()) or UNKNOWN),
            Cell(str(row["seed"])),
            Cell(str(row["responses"])),
        )
        for row in origin["runs"]
    ]
    versions = ", ".join(f"{name} {value}" for name, value in origin["versions"].items())
    return Sheet(
        "provenance",
        "Where the numbers come from",
        f"Computed with {versions}. Full hashes and times: provenance.json.",
        ("Run", "Variant", "Benchmark", "Engine", "Weights sha256", "Prompt", "Sampling", "Seed", "Responses"),
        tuple(body),
        texts=7,
    )
