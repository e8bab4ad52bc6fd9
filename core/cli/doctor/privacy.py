"""What doctor says of who can read a store, and of keys in it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from core.cli.doctor.finding import Finding
from core.files.redact import secrets
from core.store.connection import opened, work_folder
from core.store.integrity import RUNNER_BYTES
from core.store.wal import log_of, size


def exposed(path: Path) -> list[Path]:
    """What others may read or write of the store, its log, and its work folder with all in it."""
    return [place for place in _places(path) if stat.S_IMODE(place.stat().st_mode) & 0o077]


def private(path: Path) -> Finding:
    """Whether others may read the store or what lies beside it, or it is theirs."""
    others = [str(place) for place in _places(path) if place.stat().st_uid != os.geteuid()]
    if others:
        remedy = f"Their owner can read and change them: name a store of your own with --db, or chown {others[0]}."
        return Finding(
            "private", False, f"{len(others)} files belong to another user, such as {others[0]}", remedy, needed=False
        )
    open_ones = exposed(path)
    if not open_ones:
        return Finding("private", True, "the store, its logs and its variants are their owner's alone")
    remedy = f"chmod -R go= {path} {work_folder(path).parent}"
    return Finding("private", False, f"{len(open_ones)} files are open to others, such as {open_ones[0]}", remedy, needed=False)


def keys(path: Path) -> Finding:
    """Whether a key of the environment stands in the store or a log, as where a server repeated it in an answer.

    The store is asked through SQLite, since closing a file drops the locks that this process has on it.
    """
    remedy = "Do not hand it on, and have the key replaced by whoever gave it."
    for name, value in secrets():
        for log in work_folder(path).rglob("*.log*"):
            if value.encode() in log.read_bytes():
                return Finding("secrets", False, f"the value of {name} stands in {log}", remedy, needed=False)
        if size(path) <= RUNNER_BYTES and (table := _table_with(path, value)):
            return Finding("secrets", False, f"the value of {name} stands in {path}, in {table}", remedy, needed=False)
    return Finding("secrets", True, "no key of the environment stands in the store or a log")


def _table_with(path: Path, value: str) -> str:
    """The first table one of whose texts holds a value; empty where none does."""
    sql = (
        "SELECT m.name AS name, t.name AS column FROM sqlite_schema m JOIN pragma_table_info(m.name) t "
        "WHERE m.type = 'table' AND m.sql NOT LIKE 'CREATE VIRTUAL%' AND t.type = 'TEXT'"
    )
    with opened(path, "reader") as connection:
        for row in connection.execute(sql).fetchall():
            query = f'SELECT 1 FROM "{row["name"]}" WHERE instr("{row["column"]}", ?) LIMIT 1'
            if connection.execute(query, (value,)).fetchone():
                return str(row["name"])
    return ""


def _places(path: Path) -> list[Path]:
    """The store, its log, and everything beside it."""
    folder = work_folder(path)
    places = (path, log_of(path), folder.parent, folder, *(folder.rglob("*") if folder.is_dir() else ()))
    return [place for place in places if place.exists() and not place.is_symlink()]
