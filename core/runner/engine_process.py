"""The process of an engine: it stays for consecutive runs of the same variant and ends on change."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.engines.host import incoming, wire
from core.errors import EngineError, EngineOutOfMemory, ModelError
from core.jobs.engines import FORMATS, HOST, WITHOUT_WEIGHTS, command
from core.runner.allocation import Allocation, ChildCommand
from core.runner.child import Child, ChildDied, child_id
from core.settings import Settings
from core.spec import PrepareJob, RunJob
from core.store.runner_store import RunnerStore

ENGINE_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1"}


class EngineProcess:
    """At most one engine at a time, for an engine, path, hash of the weights and options. `wake` is set by each message."""

    def __init__(self, store: RunnerStore, logs: Path, allocation: Allocation, wake: threading.Event, number: int = 0) -> None:
        self._store, self._logs, self._wake, self._number = store, logs, wake, number
        self.allocation = allocation
        self.log = logs  # of the latest child
        self.ready: wire.Ready | None = None
        self._child: Child[wire.Request | wire.Event] | None = None
        self._key: tuple[str, str, str | None, str] | None = None
        self._deadline = self._load_s = 0.0

    def serves(self, job: PrepareJob | RunJob) -> bool:
        """Whether the variant of a run is loaded, with its engine."""
        return isinstance(job, RunJob) and self._key is not None and self._key[:3] == (job.engine, job.path, job.sha256)

    def load(self, job: RunJob, options: Mapping[str, Any], settings: Settings) -> None:
        """Load the variant of a run, unless it is loaded; `events` tells how it goes.

        Raises EngineError where nothing can be allocated for it.
        """
        key = (job.engine, job.path, job.sha256, repr(sorted(options.items())))
        self._load_s = settings.general.load_s
        if self._child is not None and self._key == key:
            return
        self.close()
        self.log = self._logs / (f"host-{job.id}-{self._number}.log" if self._number else f"host-{job.id}.log")
        host = command(job.engine, settings)
        files = (host[0], str(HOST), *(() if FORMATS[job.engine] in WITHOUT_WEIGHTS else (job.path,)))
        line, environment = self.allocation.child(ChildCommand(host, ENGINE_ENVIRONMENT, files), settings.general)
        self._child = Child(line, incoming.event, self.log, environment, child_id(self._store, job.id), self._wake)
        self._store.host_started(self._child.process.pid, self._child.started, job.id)
        self.send(wire.Load(job.path, options))
        self._key, self._deadline = key, time.monotonic() + self._load_s

    def send(self, message: wire.Request) -> None:
        """Send a request."""
        assert self._child is not None
        self._child.send(wire.encode(message))

    def events(self) -> Iterator[wire.Event]:
        """New messages of the engine, without waiting; it is loaded once `Ready` has come.

        Raises ModelError or EngineError with the engine's own message, ChildDied where it has ended.
        """
        if self._child is None:
            return
        for message in self._child.receive(0.0):
            match message:
                case None:
                    raise ChildDied(self._child.obituary())
                case wire.Failed("lost", why):
                    raise ChildDied(why)
                case wire.Failed():
                    raise failure(message)
                case wire.Waiting(why):
                    self.allocation.waits = bool(why)
                    self._deadline = time.monotonic() + self._load_s
                case wire.Ready():
                    self.ready = message
            yield message  # type: ignore[misc]  # a host sends events only
        if self.ready is None and not self.allocation.waits and time.monotonic() > self._deadline:
            raise EngineError("The engine loaded nothing within `load_s`.", "Raise the setting `load_s`, or look at its log.")

    def last_words(self) -> str:
        """The end of its log."""
        return self._child.last_words() if self._child else ""

    def close(self) -> None:
        """End the engine, so that its memory comes back."""
        child, self._child, self._key, self.ready = self._child, None, None, None
        if child is not None:
            child.close()
            self._store.host_ended(child.process.pid)


def failure(message: wire.Failed) -> EngineError | ModelError:
    """The last message of a host that failed, as an LrmError."""
    kinds: dict[str, type[EngineError | ModelError]] = {"model": ModelError, "memory": EngineOutOfMemory}
    kind = kinds.get(message.kind, EngineError)
    return kind(message.message, message.remedy)
