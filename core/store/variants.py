"""The rows of artifacts (bytes, prepared once) and variants (an artifact with what runs set on it)."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from itertools import count

from core.spec import Format, TemplateOptions
from core.store.protocol import canonical_json


def artifact_row(connection: sqlite3.Connection, model: int, form: Format, compression: str) -> int:
    """The artifact of a model in a format after a compression; a server's or a recording's needs no preparation."""
    key = (model, compression, form)
    connection.execute("INSERT OR IGNORE INTO artifacts (model_id, compression, format) VALUES (?, ?, ?)", key)
    sql = "SELECT id FROM artifacts WHERE model_id = ? AND compression = ? AND format = ?"
    artifact = int(connection.execute(sql, key).fetchone()[0])
    if form not in ("hf", "gguf"):
        connection.execute(
            "UPDATE artifacts SET path = (SELECT source FROM models WHERE id = model_id), ready_at = coalesce(ready_at, ?) "
            "WHERE id = ?",
            (time.time(), artifact),
        )
    return artifact


def variant_row(connection: sqlite3.Connection, artifact: int, options: TemplateOptions, kv_type: str | None) -> int:
    """The variant of an artifact under these options."""
    arguments = canonical_json(options.arguments)
    key = (artifact, kv_type, options.thinking, options.effort, options.budget, arguments)
    connection.execute(
        "INSERT OR IGNORE INTO variants (artifact_id, kv_type, thinking, effort, budget, arguments) VALUES (?, ?, ?, ?, ?, ?)",
        key,
    )
    sql = (
        "SELECT id FROM variants WHERE artifact_id = ? AND kv_type IS ? AND thinking IS ? AND effort IS ? AND budget IS ? "
        "AND arguments = ?"
    )
    return int(connection.execute(sql, key).fetchone()[0])


def prepare_first(connection: sqlite3.Connection, variant: int, position: float, batch: int | None = None) -> None:
    """Queue the preparation of a variant's artifact at a place in the queue, unless it is ready or waits already."""
    connection.execute(
        "INSERT INTO jobs (kind, position, variant_id, created, batch) SELECT 'prepare', ?, v.id, ?, ? FROM variants v "
        "JOIN artifacts a ON a.id = v.artifact_id WHERE v.id = ? AND a.ready_at IS NULL AND NOT EXISTS ("
        "SELECT 1 FROM jobs j JOIN variants other ON other.id = j.variant_id WHERE j.kind = 'prepare' "
        "AND j.state IN ('queued', 'running', 'paused') AND other.artifact_id = a.id)",
        (position, time.time(), batch, variant),
    )


def move_to_content(connection: sqlite3.Connection, artifact: int, sha256: str, stamp: str) -> int:
    """What to make instead of an artifact whose model's files have other content now: the same of a model of that content.

    Jobs of the artifact that have nothing yet and have not ended go with it. Returns the artifact of the new content; what it
    lacks is to be prepared.
    """
    old = connection.execute(
        "SELECT a.compression, a.format AS artifact_format, m.* FROM artifacts a JOIN models m ON m.id = a.model_id "
        "WHERE a.id = ?",
        (artifact,),
    ).fetchone()
    known = connection.execute(
        "SELECT id FROM models WHERE source = ? AND format = ? AND sha256 = ?", (old["source"], old["format"], sha256)
    ).fetchone()
    model = int(known["id"]) if known else _copy_of(connection, old, sha256)
    connection.execute("UPDATE models SET stamp = ? WHERE id = ?", (stamp, model))
    new = artifact_row(connection, model, old["artifact_format"], old["compression"])
    for job, variant in connection.execute(_NOTHING_YET, (artifact,)).fetchall():
        row = connection.execute("SELECT * FROM variants WHERE id = ?", (variant,)).fetchone()
        options = TemplateOptions(row["thinking"], row["effort"], row["budget"], json.loads(row["arguments"]))
        moved = variant_row(connection, new, options, row["kv_type"])
        connection.execute("UPDATE jobs SET variant_id = ? WHERE id = ?", (moved, job))
    return new


def _copy_of(connection: sqlite3.Connection, old: sqlite3.Row, sha256: str) -> int:
    """A model at the same place with other content: the same name with a number."""
    base = re.sub(r"~\d+$", "", old["name"])
    taken = {row[0] for row in connection.execute("SELECT name FROM models")}
    name = next(name for number in count(2) if (name := f"{base}~{number}") not in taken)
    cursor = connection.execute(
        "INSERT INTO models (name, source, format, family, revision, sha256) VALUES (?, ?, ?, ?, ?, ?)",
        (name, old["source"], old["format"], old["family"], old["revision"], sha256),
    )
    return int(cursor.lastrowid or 0)


_NOTHING_YET = """
SELECT j.id, j.variant_id FROM jobs j JOIN variants v ON v.id = j.variant_id
WHERE v.artifact_id = ? AND j.state IN ('queued', 'running', 'paused') AND j.weights_sha256 IS NULL
"""
