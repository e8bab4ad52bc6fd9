"""Which row of the store a model is.

A model is its content: a place (path, address, recording) and what its files held when they were read. Names only label it, so
that two models of one name are told apart, and new content at an old place is a new model.
"""

from __future__ import annotations

import sqlite3
from itertools import count
from pathlib import Path

from core.errors import ModelError, UsageError
from core.files.content import sha256, stamp
from core.jobs.engines import WITHOUT_WEIGHTS
from core.jobs.models import INSTALLED, longer_names
from core.spec import Model


def model_row(connection: sqlite3.Connection, model: Model, name: str | None = None) -> int:
    """The latest row of a model's place, made where there is none, under `name` or else the shortest name that is free.

    Raises UsageError where `name` is another model's.
    """
    rows = connection.execute(
        "SELECT id, name FROM models WHERE source = ? AND format = ? ORDER BY id DESC", (str(model.source), model.format)
    ).fetchall()
    if name is not None:
        _check_name(connection, model, name)
        for row in rows[:1]:
            connection.execute("UPDATE models SET name = ? WHERE id = ?", (name, row["id"]))
    if rows:
        return int(rows[0]["id"])
    if (moved := _moved(connection, model)) is not None:
        connection.execute("UPDATE models SET source = ? WHERE id = ?", (str(model.source), moved))
        return moved
    return new_model(connection, model, name or free_name(connection, model))


def new_model(connection: sqlite3.Connection, model: Model, name: str) -> int:
    """A row for a model that the store does not know; its content is measured when its first artifact is made."""
    cursor = connection.execute(
        "INSERT INTO models (name, source, format, family, revision) VALUES (?, ?, ?, ?, ?)",
        (name, str(model.source), model.format, model.family, model.revision),
    )
    return int(cursor.lastrowid or 0)


def free_name(connection: sqlite3.Connection, model: Model) -> str:
    """The model's name, else a longer one that tells where it lies, else one with a number: the first that no other has."""
    taken = {row[0] for row in connection.execute("SELECT name FROM models")}
    names = [model.name, *longer_names(model)]
    free = (name for name in names if name not in taken)
    return next(free, None) or next(name for n in count(2) if (name := f"{model.name}~{n}") not in taken)


def _check_name(connection: sqlite3.Connection, model: Model, name: str) -> None:
    row = connection.execute(
        "SELECT source FROM models WHERE name = ? AND NOT (source = ? AND format = ?)",
        (name, str(model.source), model.format),
    ).fetchone()
    if row is not None:
        raise UsageError(f"Another model of this store is called {name!r}: {row['source']}.", "Give another --name.")


def _moved(connection: sqlite3.Connection, model: Model) -> int | None:
    """The row of a model that lies in another place now: its old place is empty, and it is the same as then.

    The same are the same names, sizes and times of all files; for what comes with lrm-tui, whose place changes with each
    installation, the same hash.
    """
    if model.format in WITHOUT_WEIGHTS:
        return None
    place = Path(model.source)
    rows = connection.execute(
        "SELECT id, name, source, stamp, sha256 FROM models WHERE format = ? AND family = ? ORDER BY id DESC",
        (model.format, model.family),
    ).fetchall()
    for row in rows:
        gone = not Path(row["source"]).exists()
        if gone and row["stamp"] and row["stamp"] == _stamp(place):
            return int(row["id"])
        if model.name in INSTALLED and (row["sha256"] or model.name) in (sha256(place), row["name"]):
            return int(row["id"])
    return None


def _stamp(place: Path) -> str | None:
    try:
        return stamp(place)
    except (ModelError, OSError):
        return None
