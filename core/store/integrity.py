"""Integrity: a damaged file, or another program's, is refused before anything is written to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from core.errors import StoreDamaged

QUICK_BYTES = 64 * 2**20
RUNNER_BYTES = 2**30
RESTORE = "It is left as it is: put a backup in its place (see `lrm-tui backup --help`), or name another store with --db."

_sound: set[tuple[int, int]] = set()
"""Device and inode of files that this process has checked."""


def refuse_damaged(path: Path, most: int) -> None:
    """Raise StoreDamaged where a file of up to `most` bytes fails SQLite's quick check.

    The file is opened through SQLite only: closing it otherwise would drop all locks that this process has on it. A larger
    file is not checked as a whole; SQLite itself refuses one that is no database or is truncated.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return
    if not status.st_size or (status.st_dev, status.st_ino) in _sound:
        return
    if status.st_size <= most:
        if problem := quick_check(path):
            raise StoreDamaged(f"{path} is damaged ({problem}).", RESTORE)
        _sound.add((status.st_dev, status.st_ino))


def quick_check(path: Path, whole: bool = False) -> str:
    """The first problem that SQLite finds in a file, or an empty text; `whole` checks the indexes too."""
    pragma = "integrity_check" if whole else "quick_check"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            answer = str(connection.execute(f"PRAGMA {pragma}(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return str(error)
        raise
    return "" if answer == "ok" else " ".join(answer.split())


def refuse_foreign(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Raise StoreDamaged where a database is another program's: it has tables, and not ours."""
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    ours = "responses" in names if version else not names or "_sqlite_migrations" in names
    if not ours:
        raise StoreDamaged(f"{path} is a database of another program.", "Name another store with --db.")
