"""The thread that watches the store and posts a snapshot of it, at most one a tick and only when something changed.

It imports nothing slow, because it runs before the first paint. Screens show its snapshots and never query them again.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from textual.message import Message

from core.errors import LrmError, StoreError
from core.store import snapshot as views
from core.store.connection import connect, translated
from core.store.identity import FileId, file_id
from core.store.snapshot import Snapshot
from core.store.wal import log_of
from core.store.watch import Watch
from tui.meter import Meter, Sample

TICK_S, SLOW_TICK_S = 0.5, 1.5
RUNNER_S, METER_S = 1.0, 1.0
"""Seconds between looks at the runner (a killed one changes nothing in the store) and at the machine."""


class Polled(Message):
    """Base of the poller's messages."""


class SnapshotReady(Polled):
    """The store changed."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot


class StoreMissing(Polled):
    """There is no store yet."""


class StoreTrouble(Polled):
    """The store cannot be read; `error` says why."""

    def __init__(self, error: LrmError) -> None:
        super().__init__()
        self.error = error


class MachineSampled(Polled):
    """A new sample of the machine."""

    def __init__(self, sample: Sample) -> None:
        super().__init__()
        self.sample = sample


class StreamText(Polled):
    """New text of the followed response; `first` marks its beginning, `final` its end."""

    def __init__(self, response_id: int, text: str, first: bool, final: bool) -> None:
        super().__init__()
        self.response_id = response_id
        self.text = text
        self.first = first
        self.final = final


@dataclass(slots=True)
class _Cursor:
    """How far the followed response has been read: its next chunk, and characters posted so far."""

    response_id: int
    attempt: int | None
    chunk: int = 0
    characters: int = 0
    started: bool = False


class Poller(threading.Thread):
    """Posts `SnapshotReady`, `StoreMissing`, `StoreTrouble` and `StreamText` through `post` until `end`."""

    def __init__(self, store: Path, post: Callable[[Message], object], slow: bool = False) -> None:
        super().__init__(name="poller", daemon=True)
        self._tick_s = SLOW_TICK_S if slow else TICK_S
        self._store = store
        self._post = post
        self._ended = threading.Event()
        self._followed: int | None = None
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, FileId | None] = (0, None)
        self._version = -1
        self._watch: Watch | None = None
        self._meter: Meter | None = None
        self._meter_due = self._runner_due = 0.0
        self._last: Snapshot | None = None
        self._cursor: _Cursor | None = None
        self._reported: str | None = None  # the trouble that was posted last, so that it is posted once

    def follow(self, response_id: int | None) -> None:
        """Post the text of this response from its beginning, then whatever is added to it."""
        self._followed = response_id

    def end(self) -> None:
        """Stop after the present tick."""
        self._ended.set()

    def run(self) -> None:
        """Tick until `end` is called."""
        self._meter_due = time.monotonic() + self._tick_s  # not in the first tick: its imports would delay the first snapshot
        while True:
            try:
                self._tick()
                self._sample()
            except Exception as error:  # noqa: BLE001 - if this thread died the screen would freeze unnoticed
                self._trouble(error)
            if self._ended.wait(self._tick_s):
                break
        self._close()

    def _tick(self) -> None:
        if not self._open():
            return
        connection, watch = self._connection, self._watch
        assert connection is not None and watch is not None
        with translated(self._store):
            version = int(connection.execute("PRAGMA data_version").fetchone()[0])
            changed = version != self._version
            if changed:
                self._version = version
                self._offer(watch.read())
            elif self._last is not None and time.monotonic() >= self._runner_due:
                self._runner_due = time.monotonic() + RUNNER_S
                self._offer(replace(self._last, runner=views.runner(connection)))
            self._tail(connection, changed)
        self._reported = None

    def _open(self) -> bool:
        """Open the store, again where its file was replaced. Returns whether there is one to read."""
        try:
            file = self._files()
        except FileNotFoundError:
            self._close()
            self._missing()
            return False
        if self._connection is not None and file == self._file:
            return True
        self._close()
        connection = connect(self._store, "reader")
        with translated(self._store):
            empty = connection.execute("PRAGMA user_version").fetchone()[0] == 0
        if empty:
            connection.close()
            self._missing()
            return False
        self._connection, self._file, self._watch = connection, self._files(), Watch(connection)
        return True

    def _files(self) -> tuple[int, FileId | None]:
        """The store's file and its log, either of which somebody may replace or delete. Raises FileNotFoundError."""
        return self._store.stat().st_ino, file_id(log_of(self._store))

    def _sample(self) -> None:
        """Take a sample of the machine; the first call imports the libraries for it."""
        if time.monotonic() >= self._meter_due:
            self._meter = self._meter or Meter()
            self._meter_due = time.monotonic() + max(METER_S, self._tick_s)
            self._post(MachineSampled(self._meter.sample()))

    def _missing(self) -> None:
        if self._reported != "missing":
            self._reported = "missing"
            self._last = None
            self._post(StoreMissing())

    def _trouble(self, error: Exception) -> None:
        self._close()
        trouble = error if isinstance(error, LrmError) else StoreError(f"Reading failed: {error!r}.", "Run `lrm-tui doctor`.")
        if self._reported != str(trouble):
            self._reported = str(trouble)
            self._post(StoreTrouble(trouble))

    def _offer(self, snapshot: Snapshot) -> None:
        """Post a snapshot, unless only the time of the runner's heartbeat differs from the last one."""
        without_beat = replace(snapshot, runner=replace(snapshot.runner, beat=None))
        if without_beat != self._last:
            self._last = without_beat
            self._post(SnapshotReady(snapshot))

    def _tail(self, connection: sqlite3.Connection, changed: bool) -> None:
        """Post the new text of the followed response."""
        followed = self._followed
        if followed is None:
            self._cursor = None
            return
        streams = self._last.streams if self._last else ()
        attempt = next((stream.attempt for stream in streams if stream.response_id == followed), None)
        cursor = self._cursor
        if cursor is None or cursor.response_id != followed or attempt not in (cursor.attempt, None):
            cursor = self._cursor = _Cursor(followed, attempt)  # a new attempt may start from the beginning
        elif not changed:
            return
        connection.execute("BEGIN")
        try:
            text, cursor.chunk = views.tail(connection, followed, cursor.chunk)
            row = None if text else views.response(connection, followed)
        finally:
            connection.execute("ROLLBACK")
        final = row is not None and row["state"] == "done"
        if row is not None and final:
            text = str(row["text"] or "")[cursor.characters :]
        cursor.characters += len(text)
        if text or final or not cursor.started:
            self._post(StreamText(followed, text, not cursor.started, final))
            cursor.started = True
        if final and self._followed == followed:
            self._followed = None

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._version = None, -1
