"""The local proxy of a process on the cluster: `python -m core.runner.cluster.relay ORDER COMMAND...`.

It forwards its stdin to that process, and that process's stdout and stderr to its own. While the cluster has no free resources
it writes `waiting` lines. Where the order fails it writes a `failed` line, of kind `lost` where the process, its actor or its
machine has died. Output lost in transit counts as a death too, so that no response has a gap.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any, BinaryIO, NoReturn

from core.compress.messages import Failed, FailureKind, Waiting, encode
from core.engines.host.process import take_pipes
from core.errors import EngineError, LrmError, ModelError
from core.runner.cluster import actor
from core.runner.cluster.ray import connect, reason
from core.runner.processes import VARIABLE

SCHEDULE_S = 2.0  # how long an actor may take to be scheduled before it counts as waiting
END_S = 4.0
READ_S = 1.0
CONNECT_RETRIES_S = 120.0  # how long to retry a cluster that does not answer
RETRY_S = 2.0
INPUT_BYTES = 1 << 20
PROCESS_MARKS = (VARIABLE, "SPT_NOENV")  # environment by which the runner finds its processes on its own machine


@dataclass(frozen=True, slots=True)
class Order:
    """The resources to request from Ray for one process, and its environment.

    `gpus` None: one if the cluster has any. `span`: GPUs, possibly on several machines, that the process allocates itself; it
    starts on a machine that has one of them. `local_only`: it must run on this machine, because it needs local files. `files`
    must exist on its machine.
    """

    address: str
    cpus: float
    gpus: int | None
    span: int
    local_only: bool
    files: tuple[str, ...]
    environment: dict[str, str]

    def text(self) -> str:
        """The order as JSON, for the relay's command line."""
        return json.dumps(asdict(self))


class Lost(Exception):
    """The process on the cluster cannot be reached any more."""


class Relay:
    """Starts the process of one order and forwards its input and output."""

    def __init__(self, order: Order, stdin: BinaryIO, stdout: BinaryIO) -> None:
        self._order, self._stdin, self._stdout = order, stdin, stdout
        self._mutex = threading.Lock()
        self._input: list[bytes] = []  # read from stdin before the process has started
        self._actor: Any = None
        self._gpus = 0
        self._started = False
        self._last_waiting: str | None = None

    def run(self, command: list[str]) -> int:
        """Run the command on the cluster. Returns its status. Raises LrmError where it cannot start, Lost where it died."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._ray = self._connected()
        try:
            machine = self._wait_for_actor()
            self._report_waiting("")
            self._start(command, machine)
            return self._pump(machine)
        except self._ray.exceptions.RayError as error:
            raise Lost(f"lost on the cluster: {reason(error)}") from error

    def _connected(self) -> ModuleType:
        """The connected ray module; retries for `CONNECT_RETRIES_S` seconds. Raises EngineError."""
        deadline = time.monotonic() + CONNECT_RETRIES_S
        while True:
            try:
                return connect(self._order.address)
            except EngineError as error:
                if time.monotonic() > deadline:
                    raise
                self._report_waiting(f"waits for the cluster: {error.message}")
                time.sleep(RETRY_S)

    def _wait_for_actor(self) -> str:
        """Create the actor and wait until Ray has scheduled it. Returns the name of its machine."""
        ray, order = self._ray, self._order
        ray.cloudpickle.register_pickle_by_value(actor)
        node = ray.get_runtime_context().get_node_id() if order.local_only else self._wait_for_span() if order.span else None
        gpus = self._gpus = self._one_if_any(node) if order.gpus is None else order.gpus
        options: dict[str, Any] = {"num_cpus": order.cpus, "num_gpus": gpus, "max_restarts": 0, "max_task_retries": 0}
        if node is not None:
            affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)
            options["scheduling_strategy"] = affinity
        cls = ray.remote(concurrency_groups={"in": 1, "out": 1})(actor.Actor)
        self._actor = cls.options(**options).remote()
        hostname = self._actor.node.remote()
        while not ray.wait([hostname], timeout=SCHEDULE_S)[0]:
            self._report_waiting(self._no_room({"GPU": gpus, "CPU": order.cpus}, together=True))
        return str(ray.get(hostname))

    def _one_if_any(self, node: str | None) -> int:
        """1 if `node` (None: any node) has a GPU, else 0."""
        counts = [n["Resources"].get("GPU", 0) for n in self._ray.nodes() if n["Alive"] and node in (None, n["NodeID"])]
        return int(any(count >= 1 for count in counts))

    def _wait_for_span(self) -> str:
        """Wait until `span` GPUs are free at once. Returns a node with one of them; the process then reserves them itself."""
        group = self._ray.util.placement_group([{"GPU": 1}] * self._order.span, strategy="PACK")
        try:
            while not group.wait(SCHEDULE_S):
                self._report_waiting(self._no_room({"GPU": self._order.span}, together=False))
            return str(self._ray.util.placement_group_table(group)["bundles_to_node_id"][0])
        finally:
            self._ray.util.remove_placement_group(group)

    def _no_room(self, resources: dict[str, float], together: bool) -> str:
        """The message about what is needed and what is free."""
        total, free = self._ray.cluster_resources(), self._ray.available_resources()
        resources = {name: count for name, count in resources.items() if count}
        if not resources:
            return "waits for Ray to start an actor"
        needs = " and ".join(f"{count:g} {name}{'s' * (count != 1)}" for name, count in resources.items())
        available = ", ".join(f"{free.get(name, 0):g} of {total.get(name, 0):g} {name}s" for name in resources)
        pools = [node["Resources"] for node in self._ray.nodes() if node["Alive"]] if together else [total]
        message = f"waits for room on the cluster: it needs {needs}{' on one machine' * together}; free: {available}"
        if any(all(pool.get(name, 0) >= count for name, count in resources.items()) for pool in pools):
            return message
        return f"{message}. {'No machine of it has that many' if together else 'It has fewer'}: add some, or ask for less"

    def _start(self, command: list[str], machine: str) -> None:
        order = self._order
        environment = order.environment | {name: os.environ[name] for name in PROCESS_MARKS if name in os.environ}
        if not self._gpus and not order.span:
            environment["CUDA_VISIBLE_DEVICES"] = ""  # Ray shows all GPUs to an actor that has reserved none
        if order.span:
            environment["RAY_ADDRESS"] = self._ray.get_runtime_context().gcs_address
        missing = self._ray.get(self._actor.start.remote(command, environment, order.files, bool(order.span)))
        if missing:
            raise ModelError(
                f"The machine {machine} has no {', '.join(missing)}.",
                "Keep models, variants (`variants_folder`) and lrm-tui where all machines have them at the same path.",
            )
        with self._mutex:
            self._started = True
            self._send_input()

    def _pump(self, machine: str) -> int:
        """Forward the process's output until it ends. Returns its exit status; raises Lost where it was killed."""
        read = self._actor.read.options(concurrency_group="out")
        while True:
            out, err, code = self._ray.get(read.remote(READ_S))
            sys.stderr.buffer.write(err)
            sys.stderr.flush()
            if out:
                self._write(out)
            if code is not None and code < 0:
                raise Lost(f"ended by {signal.Signals(-code).name} on {machine}")
            if code is not None:
                return int(code)

    def _listen(self) -> None:
        """Forward stdin. When it closes, because the runner closed it or died, everything ends."""
        while data := os.read(self._stdin.fileno(), INPUT_BYTES):
            with self._mutex:
                self._input.append(data)
                if self._started:
                    self._send_input()
        self._leave()

    def _send_input(self) -> None:
        if self._input:
            self._actor.write.options(concurrency_group="in").remote(b"".join(self._input))
        self._input = []

    def _leave(self) -> NoReturn:
        """End the process on the cluster and return only when it is gone, so that its memory is free for the next."""
        if self._started:
            with contextlib.suppress(Exception):
                self._ray.get(self._actor.end.options(concurrency_group="in").remote(), timeout=END_S)
        os._exit(0)  # Ray ends the actors of a driver that has ended

    def _report_waiting(self, waiting: str) -> None:
        if waiting != self._last_waiting:
            self._last_waiting = waiting
            self._write(encode(Waiting(type="waiting", message=waiting)))

    def _write(self, data: bytes) -> None:
        try:
            self._stdout.write(data)
            self._stdout.flush()
        except BrokenPipeError:
            self._leave()


def main() -> int:
    """Run the order of the command line. Returns the exit status."""
    stdin, stdout = take_pipes()
    try:
        return Relay(Order(**json.loads(sys.argv[1])), stdin, stdout).run(sys.argv[2:])
    except LrmError as error:
        kind: FailureKind = "model" if isinstance(error, ModelError) else "engine"
        failed = Failed(type="failed", kind=kind, message=error.message, remedy=error.remedy)
    except Lost as error:
        failed = Failed(type="failed", kind="lost", message=str(error))
    stdout.write(encode(failed))
    stdout.flush()
    return 1


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # at once: Ray ends the actors of a driver that has ended
