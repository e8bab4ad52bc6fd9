"""The runner's side of the cluster: shares of it as places for engines and compressions."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import EngineError
from core.runner.child import Child, child_id
from core.runner.cluster.ray import QUIET, check_installed, loopback
from core.runner.cluster.relay import Order
from core.runner.processes import exit_code
from core.settings import General
from core.store.runner_store import RunnerStore

START_S = 120.0


class Cluster:
    """The cluster that the settings name, or one of this machine, which is started when it is first needed."""

    def __init__(self, store: RunnerStore, folder: Path) -> None:
        self._store, self._folder = store, folder
        self._mutex = threading.Lock()
        self._child: Child[dict[str, str]] | None = None
        self._own = ""

    def reached(self, general: General) -> tuple[str, dict[str, str]]:
        """Address, and environment of whoever connects. Raises UsageError without Ray, EngineError where it does not start."""
        check_installed()
        if general.ray_address:
            return general.ray_address, dict(QUIET)
        environment = {**QUIET, **loopback(self._folder / "ray" / "token")}
        with self._mutex:
            if self._child is None or exit_code(self._child.process.pid, 0.0) is not None:
                self._start(environment | ({"CUDA_VISIBLE_DEVICES": ",".join(general.gpus)} if general.gpus else {}))
            return self._own, environment

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
                self._own = message["address"]
                return
        raise EngineError(f"Ray did not start here within {START_S:.0f} s.", f"See {log}.")

    def close(self) -> None:
        """End the cluster of this machine."""
        if self._child is not None:
            self._child.close()
        self._child = None


class RayShare:
    """GPUs and processors of a cluster, which Ray finds for one child at a time; `gpus` and `span` as in `relay.Order`."""

    def __init__(self, cluster: Cluster, gpus: int | None, span: int = 0) -> None:
        self._cluster, self._gpus, self._span = cluster, gpus, span
        self.waits, self.alone = True, True

    def child(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        general: General,
        files: Sequence[str] = (),
        *,
        here: bool = False,
    ) -> tuple[list[str], dict[str, str]]:
        """See `Allocation.child`: a relay, which has Ray start the command."""
        self.waits = True
        address, own = self._cluster.reached(general)
        environment = {**environment, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # in which Ray counts GPUs
        order = Order(address, general.ray_cpus, self._gpus, self._span, here, tuple(files), environment)
        return [sys.executable, "-P", "-m", "core.runner.cluster.relay", order.text(), *command], own

    def release(self) -> None:
        """Nothing is held while no child runs."""
