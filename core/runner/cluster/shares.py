"""The runner's side of a Ray cluster: the connection to it, and the `Allocation` of a part of it."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from core.errors import EngineError
from core.runner.allocation import ChildCommand
from core.runner.child import Child, child_id
from core.runner.cluster.ray import NO_TELEMETRY, check_installed, loopback_environment
from core.runner.cluster.relay import Order
from core.runner.processes import exit_code
from core.settings import General
from core.store.runner_store import RunnerStore

START_S = 120.0


class Cluster:
    """The cluster that the settings name, else one on this machine alone, started when it is first needed."""

    def __init__(self, store: RunnerStore, folder: Path) -> None:
        self._store, self._folder = store, folder
        self._mutex = threading.Lock()
        self._child: Child[dict[str, str]] | None = None
        self._local_address = ""

    def connection(self, general: General) -> tuple[str, dict[str, str]]:
        """The cluster's address, and the environment of a process that connects to it; starts the local cluster if needed.

        Raises UsageError without Ray, EngineError where the local cluster does not start.
        """
        check_installed()
        if general.ray_address:
            return general.ray_address, dict(NO_TELEMETRY)
        environment = {**NO_TELEMETRY, **loopback_environment(self._folder / "ray" / "token")}
        with self._mutex:
            if self._child is None or exit_code(self._child.process.pid, 0.0) is not None:
                self._start(environment | ({"CUDA_VISIBLE_DEVICES": ",".join(general.gpus)} if general.gpus else {}))
            return self._local_address, environment

    def _start(self, environment: Mapping[str, str]) -> None:
        self.close()
        command = [sys.executable, "-P", "-m", "core.runner.cluster.local"]
        log = self._folder / "logs" / "ray.log"
        self._child = child = Child(command, json.loads, log, environment, child_id(self._store, 0))
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            for message in child.receive(1.0):
                if message is None:
                    raise EngineError(f"Ray did not start here: {child.obituary()}.", f"See {log}.")
                self._local_address = message["address"]
                return
        raise EngineError(f"Ray did not start here within {START_S:.0f} s.", f"See {log}.")

    def close(self) -> None:
        """End the cluster of this machine."""
        if self._child is not None:
            self._child.close()
        self._child = None


class RayShare:
    """An `Allocation` that Ray makes on the cluster for one child at a time; `gpus` and `span` as in `relay.Order`."""

    def __init__(self, cluster: Cluster, gpus: int | None, span: int = 0) -> None:
        self._cluster, self._gpus, self._span = cluster, gpus, span
        self.waits, self.alone = True, True

    def child(self, command: ChildCommand, general: General) -> tuple[list[str], dict[str, str]]:
        """See `Allocation.child`: a relay, which has Ray start the command."""
        self.waits = True
        address, relay_environment = self._cluster.connection(general)
        environment = {**command.environment, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # the order in which Ray counts GPUs
        files = tuple(command.files)
        order = Order(address, general.ray_cpus, self._gpus, self._span, command.local_only, files, environment)
        relay = [sys.executable, "-P", "-m", "core.runner.cluster.relay", order.text(), *command.line]
        return relay, relay_environment

    def release(self) -> None:
        """Nothing to do: Ray frees the resources when the child ends."""
