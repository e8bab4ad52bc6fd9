"""Brings an older store up to date, after it has kept a copy of it as it was."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from core.errors import StoreFull
from core.store.schema import migrate

WITHOUT_COPY = "LRM_UPGRADE_WITHOUT_COPY"
"""The environment variable that lets a store be brought up to date where there is no room for a copy."""


def upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the missing steps to a store, which its caller has locked. Raises StoreFull where a copy has no room."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    copy = _keep_copy(connection, path, version) if version and connection.execute("SELECT 1 FROM jobs").fetchone() else None
    migrate(connection)
    if copy is not None:
        message = f"{path.name} was brought up to date (it had schema {version}). As it was before, it is kept as {copy.name}."
        connection.execute(
            "INSERT INTO notices (at, level, message, remedy) VALUES (?, 'info', ?, ?)",
            (time.time(), message, "Remove the copy when you have seen that all is there."),
        )


def _keep_copy(connection: sqlite3.Connection, path: Path, version: int) -> Path | None:
    copy = path.with_name(f"{path.stem}.schema-{version}.db")
    if copy.exists() or os.environ.get(WITHOUT_COPY):
        return None
    size = int(connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0])
    if shutil.disk_usage(path.parent).free < 2 * size:
        raise StoreFull(
            f"{path} is of an older lrm-tui, and there is no room for a copy of it ({size:,} bytes), which is kept first.",
            f"Free some space, or copy it elsewhere yourself and set {WITHOUT_COPY}=1 once.",
        )
    half = copy.with_name(f".{copy.name}.{os.getpid()}.half")
    try:
        os.close(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(half, isolation_level=None)) as target:
            connection.backup(target)
        os.replace(half, copy)
    finally:
        with suppress(FileNotFoundError):
            half.unlink()
    return copy
