"""The simulated disk: real SQLite, whose statements can be refused, torn, slow or acknowledged late, and end with a process."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.simulator.kernel import Kernel

if TYPE_CHECKING:
    from tests.simulator.machine import Machine, Process

BUSY_S = 0.02
SLOW_S = (0.02, 3.0)
_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|COMMIT|CREATE|ALTER|REPLACE)", re.IGNORECASE)
_TIMEOUT = re.compile(r"PRAGMA busy_timeout = (\d+)")


@dataclass(slots=True)
class Disk:
    """How the disk behaves now: `refused` (full), `failing` (each write), `late` (done, and reported as failed), `slow`.

    `chance` is the share of writes that it happens to. `commits` is called after each commit, `joins` with each new connection.
    """

    kernel: Kernel
    machine: Machine
    commits: Callable[[Connection], None]
    joins: Callable[[Connection], None]
    mode: str = ""
    chance: float = 0.5

    def before(self, sql: str) -> None:
        """What happens before a statement."""
        if not self.mode or not _WRITES.match(sql) or self.kernel.rng.random() >= self.chance:
            return
        if self.mode == "slow":
            self.kernel.sleep(self.kernel.rng.uniform(*SLOW_S))
        elif self.mode == "refused":
            raise _error(sqlite3.SQLITE_FULL, "database or disk is full")
        elif self.mode == "failing":
            raise _error(sqlite3.SQLITE_IOERR | 3 << 8, "disk I/O error")

    def after(self, sql: str) -> None:
        """What happens after a statement was done."""
        if self.mode == "late" and sql.startswith("COMMIT") and self.kernel.rng.random() < self.chance:
            self.kernel.say("a commit was done and is reported as failed")
            raise _error(sqlite3.SQLITE_IOERR | 4 << 8, "disk I/O error")


def _error(code: int, text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


class Connection(sqlite3.Connection):
    """A connection of a simulated process. It waits for locks on the virtual clock, and ends with its process."""

    disk: Disk
    process: Process
    path: Path
    inode: int
    patience = 5.0
    changes = 0  # rows changed when it was last looked at
    gone = False

    def join(self, disk: Disk, path: Path) -> None:
        """Belong to the process that runs now."""
        self.disk, self.path, self.process = disk, path, disk.machine.here
        super().execute("PRAGMA busy_timeout = 0")
        self.inode = path.stat().st_ino if path.exists() else 0
        disk.joins(self)
        self.process.connections.append(self)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        return self._do(sql, lambda: super(Connection, self).execute(sql, parameters))

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        return self._do(sql, lambda: super(Connection, self).executemany(sql, list(parameters)))

    def _do(self, sql: str, run: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        kernel = self.disk.kernel
        self.process.check()
        if self.gone:
            raise sqlite3.ProgrammingError("Cannot operate on a closed database.")
        if match := _TIMEOUT.match(sql):
            self.patience = int(match[1]) / 1000
            return super().execute("SELECT 0")
        kernel.point()
        self.disk.before(sql)
        wrote = not sql.startswith(("SELECT", "BEGIN", "PRAGMA", "\nSELECT", "ROLLBACK"))
        cursor = self._patiently(run)
        if wrote and not self.in_transaction:
            self.disk.commits(self)
        self.disk.after(sql)
        kernel.point()
        return cursor

    def _patiently(self, run: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        kernel = self.disk.kernel
        end = kernel.now + self.patience
        while True:
            try:
                return run()
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_BUSY_RECOVERY)
                if not busy or kernel.now >= end:
                    raise
            kernel.sleep(BUSY_S)

    def close(self) -> None:
        if self.process.alive and not self.gone:
            self.disk.kernel.point()
            self._forget()
            super().close()

    def abandon(self) -> None:
        """End with the process: SQLite neither checkpoints nor deletes the log, since it gets no time for it."""
        self._forget()
        super().rollback()
        file = named(self.path, self.inode)
        held = _bytes(file)
        beside = [Path(f"{self.path}{end}") for end in ("-wal", "-shm") if Path(f"{self.path}{end}").exists()]
        for one in beside:
            one.rename(f"{one}.kept")
        super().close()
        for one in beside:
            Path(f"{one}.kept").rename(one)
        if file is not None and held is not None and _bytes(file) != held:
            file.write_bytes(held)

    def _forget(self) -> None:
        self.gone = True
        if self in self.process.connections:
            self.process.connections.remove(self)


def named(path: Path, inode: int) -> Path | None:
    """Where a file lies now that lay at a path: there, or wherever a user has moved it to nearby."""
    for place in (path, *sorted(path.parent.glob("*.db")), *sorted(path.parent.glob("*/*.db"))):
        if place.exists() and place.stat().st_ino == inode:
            return place
    return None


def _bytes(file: Path | None) -> bytes | None:
    return file.read_bytes() if file is not None and file.exists() else None


class Sqlite:
    """Stands for the module `sqlite3`."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def connect(self, database: str | Path, **options: Any) -> Connection:
        options.pop("timeout", None)
        self._disk.kernel.point()
        self._disk.machine.here.check()
        text = str(database)
        path = Path(re.sub(r"^file://|\?.*$", "", text))
        settings = {"check_same_thread": False, **options, "timeout": 0.0, "factory": Connection}
        connection: Connection = sqlite3.connect(database, **settings)
        connection.join(self._disk, path)
        return connection

    def __getattr__(self, name: str) -> Any:
        return getattr(sqlite3, name)
