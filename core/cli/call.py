"""One call of `lrm-tui`: what the options that several commands share say, and the store that is meant."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from core.errors import StoreMissing, UsageError

if TYPE_CHECKING:
    import sqlite3

Workbench: TypeAlias = "Callable[[Call], int]"
Themes: TypeAlias = "Callable[[], Iterable[str]]"


def no_workbench(call: Call) -> int:
    """Stands for the screens where none can be opened. Raises UsageError."""
    raise UsageError("There is no workbench here.", "Name a command, or start `lrm-tui` itself.")


@dataclass
class Call:
    """The values of the options that stand before or after a command, filled in while the command line is read."""

    workbench: Workbench
    themes: Themes = tuple
    db: Path | None = None
    data: Path | None = None
    json: bool = False
    format: str = "table"
    readonly: bool = False
    ascii: bool = False
    slow: bool = False
    no_mouse: bool = False
    theme: str | None = None

    @property
    def store(self) -> Path:
        """The store of this call: --db, else LRM_DB, else runs.db in the current folder."""
        from core.store.connection import store_path

        return store_path(self.db)

    @property
    def data_folder(self) -> Path | None:
        """The folder of real benchmark files: --data, else LRM_DATA; None means the hub."""
        folder = self.data or os.environ.get("LRM_DATA")
        return Path(folder).absolute() if folder else None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A reader of the store. Raises StoreMissing where it does not exist yet."""
        from core.store.connection import opened

        path = self.store
        try:
            with opened(path, "reader") as connection:
                yield connection
        except FileNotFoundError:
            raise StoreMissing(f"There is no store {path}.", "Queue a run first, or name another store with --db.") from None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A user's connection to the store, which is made where it does not exist."""
        from core.store.connection import opened

        with opened(self.store, "user") as connection:
            yield connection

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """A user's connection to a store that exists. Raises StoreError where it does not."""
        self.require_store()
        with self.writing() as connection:
            yield connection

    def require_store(self) -> None:
        """Raises StoreError where the store does not exist or cannot be read."""
        with self.reading():
            pass
