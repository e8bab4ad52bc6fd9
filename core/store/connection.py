"""Opening runs.db: who may write, who may checkpoint, and where it may lie.

Invariants:
1. The runner alone writes responses while they are generated. Commands and screens write queue changes, reviews, new grades
   and imported runs, each in one short transaction.
2. The runner alone checkpoints, since SQLite before 3.51.3 can damage a file when several connections checkpoint: every
   other connection sets `wal_autocheckpoint = 0`. SQLite itself checkpoints when the last connection closes, which is safe
   because that connection then has the file to itself.
3. Whatever only reads uses a `query_only` connection.
4. WAL needs shared memory, so a store on a network file system is refused; a store of a newer version opens read-only.
5. A damaged file, or another program's, is refused before anything is written to it.
6. Reading needs no write permission: where SQLite cannot create its files beside a closed store, it is opened as immutable.

This module imports the standard library alone until a schema step is missing, because screens open the store before
their first paint.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal

from core.errors import NO_ROOM, StoreBusy, StoreDamaged, StoreError, StoreFull, StoreNewer, StoreReadOnly
from core.files.locks import exclusive
from core.store.identity import note_name, refuse_second_name, set_aside, wait_for_moved
from core.store.integrity import QUICK_BYTES, RESTORE, RUNNER_BYTES, refuse_damaged, refuse_foreign
from core.store.mounts import NETWORK, file_system

SCHEMA_VERSION = 14
BUSY_TIMEOUT_S = 5.0

Role = Literal["reader", "user", "runner"]


def store_path(named: str | Path | None = None) -> Path:
    """The path of the store: the one that is named (`--db`), else LRM_DB, else runs.db in the current folder."""
    return Path(named or os.environ.get("LRM_DB") or "runs.db").absolute()


def work_folder(store: Path) -> Path:
    """Where a store keeps its variants, logs and lock: a hidden folder beside it that no other store shares.

    `runs.db` has `runs`; a file of another name has its whole name and `.db`, which the short form of no store ends in.
    """
    plain = store.suffix == ".db" and not store.stem.endswith(".db")
    return store.parent / ".lrm-tui" / (store.stem if plain else f"{store.name.removesuffix('.db')}.db")


def runner_lock(store: Path) -> Path:
    """The lock that the one runner of a store holds."""
    return work_folder(store) / "runner.lock"


def writable(path: Path) -> bool:
    """Whether SQLite may write in the folder of a store; where it may not, the store is opened for reading only."""
    return os.access(path.parent, os.W_OK)


def connect(path: Path, role: Role) -> sqlite3.Connection:
    """Open the store in a role, making it where the role may write, and bringing an older one up to date first.

    Raises StoreError (or a kind of it) with what to do next; a reader of a store that does not exist gets FileNotFoundError.
    """
    if role == "reader" and not os.path.exists(path):  # unlike Path.exists, no folder that is closed to us makes it raise
        raise FileNotFoundError(path)
    _refuse_network_file_system(path)
    with translated(path):
        _refuse_other_names(path, role)
    if role == "reader":
        _bring_up_to_date(path)
    with translated(path):
        if role != "reader":
            make_private(path)
            refuse_damaged(path, RUNNER_BYTES if role == "runner" else QUICK_BYTES)
        connection = sqlite3.connect(
            _uri(path, role), uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        try:
            _configure(connection, path, role)
        except BaseException:
            connection.close()
            raise
        if role != "reader":
            note_name(path)
    return connection


def _refuse_other_names(path: Path, role: Role) -> None:
    """One log for one file: a name is refused while another one's log is in use. The runner has locked the file already."""
    refuse_second_name(path)
    if role != "runner" and path.parent.is_dir() and writable(path):
        wait_for_moved(path, runner_lock(path))


@contextmanager
def opened(path: Path, role: Role) -> Iterator[sqlite3.Connection]:
    """A connection in a role, closed at the end: the one way to open the store for one question or one write.

    What SQLite says inside comes out as StoreError; a reader of a store that does not exist gets FileNotFoundError.
    """
    with closing(connect(path, role)) as connection, translated(path):
        yield connection


def file_of(connection: sqlite3.Connection) -> Path:
    """The file of a connection, also where its folder's name is no UTF-8."""
    sql = "SELECT CAST(file AS BLOB) FROM pragma_database_list WHERE name = 'main'"
    return Path(os.fsdecode(connection.execute(sql).fetchone()[0]))


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One immediate transaction: committed as a whole, or rolled back as a whole."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say about the store into errors that say what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explained(path, error) from error
    except OSError as error:
        if error.errno in NO_ROOM:
            raise _full(path) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise _read_only(path) from error
        raise StoreError(f"The store {path} cannot be opened: {error.strerror}.", "Name another with --db.") from error


def _explained(path: Path, error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(f"The store {path} is held by another process.", "Try again in a moment.")
    if code == sqlite3.SQLITE_FULL:
        return _full(path)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return _read_only(path)
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreError(
            f"The store {path} cannot be opened: it is no file, or it or its folder is closed to us.",
            "Check who may read and write both, or name another with --db.",
        )
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StoreDamaged(f"{path} is damaged ({error}).", RESTORE)
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_SHORT_READ:
        return StoreBusy(
            f"The log of {path} is not the one that was in use.", "Try again in a moment: its runner begins another."
        )
    if code == sqlite3.SQLITE_IOERR:
        return StoreFull(f"Writing {path} failed ({error}).", "Check the disk and its free space.")
    return StoreError(f"The store {path} answered: {error}.", "Run `lrm-tui doctor`.")


def _full(path: Path) -> StoreFull:
    return StoreFull(f"The disk of {path} is full.", "Free some space; runs under way then go on by themselves.")


def _read_only(path: Path) -> StoreReadOnly:
    return StoreReadOnly(f"The store {path} cannot be written.", "Choose a folder that you may write with --db or LRM_DB.")


def _uri(path: Path, role: Role) -> str:
    """Without a log and where none can be made, nobody can write: such a store is opened as immutable."""
    immutable = role == "reader" and not writable(path) and not Path(f"{path}-wal").exists()
    return path.absolute().as_uri() + ("?immutable=1" if immutable else "")


def _bring_up_to_date(path: Path) -> None:
    """Queries of readers speak of the present schema; a store without any (version 0) has nothing to read yet."""
    with translated(path), closing(sqlite3.connect(_uri(path, "reader"), uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if not 0 < version < SCHEMA_VERSION:
        return
    try:
        connect(path, "user").close()
    except StoreReadOnly as error:
        raise StoreReadOnly(
            f"{path} is of an older lrm-tui (schema {version}), and where it lies it cannot be brought up to date.",
            "Copy it to a folder that you may write, and name the copy with --db.",
        ) from error


def _configure(connection: sqlite3.Connection, path: Path, role: Role) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    refuse_foreign(connection, path, version)
    if role != "reader":
        if version > SCHEMA_VERSION:
            raise StoreNewer(
                f"{path} was written by a newer lrm-tui (schema {version}, this one knows {SCHEMA_VERSION}).",
                "Update lrm-tui, or name another store with --db; this version only reads it.",
            )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        if version < SCHEMA_VERSION:
            from core.store.upgrade import upgrade  # sqlite-utils takes 0.4 s to import

            with exclusive(work_folder(path) / "migrate.lock"):
                upgrade(connection, path)
    if role != "runner":
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    if role == "reader":
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")  # not for writers, whose triggers keep the index of words


def make_private(path: Path) -> None:
    """Create a store readable by its owner only, beside no log of an earlier one.

    An existing one is not opened: closing it would drop SQLite's locks on it.
    """
    if not path.parent.is_dir():
        raise StoreError(f"The folder {path.parent} does not exist.", "Make it, or name another store with --db.")
    if not writable(path):
        raise _read_only(path)
    set_aside(path)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _refuse_network_file_system(path: Path) -> None:
    kind = file_system(path)
    if kind in NETWORK:
        raise StoreError(
            f"{path} would lie on a network file system ({kind}), where SQLite's write-ahead log is not safe.",
            "Name a store on a local disk with --db or LRM_DB.",
        )
