"""Whether a file is a sound store, asked before anything is written to it: a damaged or foreign file stays as it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from core.errors import StoreDamaged

QUICK_BYTES = 64 * 2**20
RUNNER_BYTES = 2**30
RESTORE = "It is left as it is: put a backup in its place (see `lrm-tui backup --help`), or name another store with --db."

_sound: set[tuple[int, int]] = set()
"""Device and inode of files that this process has looked through."""


def refuse_damaged(path: Path, most: int) -> None:
    """Raise StoreDamaged where a file of up to `most` bytes fails SQLite's quick check.

    Nothing is opened but through SQLite: closing a file drops all locks that this process has on it. Of a larger file SQLite
    itself refuses what is no database or is cut off.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    if not found.st_size or (found.st_dev, found.st_ino) in _sound:
        return
    if found.st_size <= most:
        if said := quick_check(path):
            raise StoreDamaged(f"{path} is damaged ({said}).", RESTORE)
        _sound.add((found.st_dev, found.st_ino))


def quick_check(path: Path, whole: bool = False) -> str:
    """The first thing that SQLite finds wrong with a file, or nothing; `whole` looks through the indexes too."""
    pragma = "integrity_check" if whole else "quick_check"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            said = str(connection.execute(f"PRAGMA {pragma}(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return str(error)
        raise
    return "" if said == "ok" else " ".join(said.split())


def refuse_foreign(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Raise StoreDamaged where a database is another program's: it has tables, and not ours."""
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    ours = "responses" in names if version else not names or "_sqlite_migrations" in names
    if not ours:
        raise StoreDamaged(f"{path} is a database of another program.", "Name another store with --db.")
