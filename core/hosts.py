"""The one engine host of a lane: kept for consecutive runs of the same variant, ended on change."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.child import Child, ChildDied
from core.engines import wire
from core.engines.catalog import command
from core.errors import EngineError, EngineOutOfMemory, ModelError
from core.settings import load
from core.store.writes import RunnerStore

ENGINE_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "PYTHONUNBUFFERED": "1"}


class Interrupted(Exception):
    """A user wants something else of the job while its model loads; `wanted` is None where the runner stops."""

    def __init__(self, wanted: str | None) -> None:
        super().__init__(wanted)
        self.wanted = wanted


class Host:
    """A loaded engine."""

    def __init__(self, child: Child[wire.Request | wire.Event], ready: wire.Ready) -> None:
        self.child = child
        self.ready = ready

    def send(self, message: wire.Request) -> None:
        """Send a request."""
        self.child.send(wire.encode(message))

    def events(self, timeout: float) -> list[wire.Event]:
        """What the engine says within `timeout` seconds. Raises EngineError or ChildDied where it has ended."""
        found = self.child.receive(timeout)
        for message in found:
            if isinstance(message, wire.Failed):
                raise failure(message)
        if None in found:
            raise ChildDied(self.child.obituary())
        return found  # type: ignore[return-value]  # a host sends events only


class Hosts:
    """Starts a host for (engine, path, options), or gives back the one that serves them already."""

    def __init__(self, store: RunnerStore, logs: Path, devices: Mapping[str, str]) -> None:
        self._store = store
        self._logs = self.log = logs  # `log` is the one of the host that was started last
        self._environment = {**ENGINE_ENVIRONMENT, **devices}
        self._key: tuple[str, str, str] | None = None
        self._host: Host | None = None

    def serves(self, job: Mapping[str, Any]) -> bool:
        """Whether the variant of a run is loaded, with its engine."""
        return self._key is not None and self._key[:2] == (job["engine"], job["path"])

    def get(self, job: int, engine: str, path: str, options: Mapping[str, Any]) -> Host:
        """The host for a variant. Raises ModelError or EngineError with the engine's own words, ChildDied or Interrupted."""
        key = (engine, path, repr(sorted(options.items())))
        if self._host is not None and self._key == key:
            return self._host
        self.close()
        self.log = self._logs / f"host-{job}.log"
        child: Child[wire.Request | wire.Event] = Child(
            command(engine), wire.decode, self.log, self._environment, self._store.run_id(job)
        )
        try:
            self._store.host_started(child.process.pid, child.started, job)
            child.send(wire.encode(wire.Load(path, options)))
            self._host, self._key = Host(child, self._ready(child, job)), key
        except BaseException:
            self._end(child)
            raise
        return self._host

    def _ready(self, child: Child[wire.Request | wire.Event], job: int) -> wire.Ready:
        patience = load().general.load_s
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            self._store.beat()
            stop, wanted = self._store.wishes(job)
            if stop or wanted:
                raise Interrupted(wanted)
            for message in child.receive(1.0):
                if isinstance(message, wire.Ready):
                    return message
                if isinstance(message, wire.Failed):
                    raise failure(message)
                if message is None:
                    raise ChildDied(child.obituary())
        raise EngineError(f"The engine loaded nothing within {patience:.0f} s.", "Raise `load_s`, or look at its log.")

    def close(self) -> None:
        """End the host, so that its memory comes back."""
        if self._host is not None:
            self._end(self._host.child)
        self._host = self._key = None

    def _end(self, child: Child[wire.Request | wire.Event]) -> None:
        child.close()
        self._store.host_ended(child.process.pid)


def failure(message: wire.Failed) -> EngineError | ModelError:
    """What a host says before it gives up, as an error of ours."""
    kinds: dict[str, type[EngineError | ModelError]] = {"model": ModelError, "memory": EngineOutOfMemory}
    kind = kinds.get(message.kind, EngineError)
    return kind(message.message, message.remedy)
