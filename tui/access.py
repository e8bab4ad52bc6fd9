"""How thread workers reach the store: a connection for one question or one wish, closed afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from core.errors import LrmError
from core.store.connection import Role, connect, translated


@contextmanager
def opened(store: Path, role: Role) -> Iterator[sqlite3.Connection]:
    """A connection in a role; what SQLite says comes out as StoreError. FileNotFoundError: nothing to read yet."""
    with closing(connect(store, role)) as connection, translated(store):
        yield connection


def start_runner(store: Path) -> LrmError | None:
    """Make sure that a runner serves the store; the reason where that fails."""
    from core.runner.client import ensure_runner

    try:
        ensure_runner(store)
    except LrmError as error:
        return error
    return None
