"""The local proxy of a process on the cluster: `python -m core.runner.cluster.relay ORDER COMMAND...`.

It forwards its stdin to that process, and that process's stdout and stderr to its own. While the cluster has no free resources
it writes `waiting` lines. Where the order fails it writes a `failed` line, of kind `lost` where the process, its actor or its
machine has died. Output lost on its way counts as a death too, so that no response has a gap.
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

ROOM_S = 2.0  # how long an actor may take to be scheduled before it counts as waiting
END_S = 4.0
READ_S = 1.0
REACH_S = 120.0  # how long to retry a cluster that does not answer
AGAIN_S = 2.0
INPUT = 1 << 20
MARKS = (VARIABLE, "SPT_NOENV")  # environment by which the runner finds its processes on its own machine


@dataclass(frozen=True, slots=True)
class Order:
    """What to request from Ray, and what to start there.

    `gpus` None: one where there are any. `span`: GPUs, possibly on several machines, that the process allocates itself; it
    starts on a machine that has one of them. `here`: it must run on this machine, because it needs local files.
    """

    address: str
    cpus: float
    gpus: int | None
    span: int
    here: bool
    files: tuple[str, ...]
    environment: dict[str, str]

    def text(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))


class Lost(Exception):
    """The process on the cluster cannot be reached any more."""


class Relay:
    """One order under way."""

    def __init__(self, order: Order, stdin: BinaryIO, stdout: BinaryIO) -> None:
        self._order, self._stdin, self._stdout = order, stdin, stdout
        self._mutex = threading.Lock()
        self._input: list[bytes] = []  # read from stdin before the process has started
        self._actor: Any = None
        self._gpus = 0
        self._started = False
        self._told: str | None = None

    def run(self, command: list[str]) -> int:
        """Run the command on the cluster. Returns its status. Raises LrmError where it cannot start, Lost where it died."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._ray = self._connected()
        try:
            where = self._placed()
            self._say("")
            self._start(command, where)
            return self._pump(where)
        except self._ray.exceptions.RayError as error:
            raise Lost(f"lost on the cluster: {reason(error)}") from error

    def _connected(self) -> ModuleType:
        """The connected ray module; retries for `REACH_S` seconds. Raises EngineError."""
        deadline = time.monotonic() + REACH_S
        while True:
            try:
                return connect(self._order.address)
            except EngineError as error:
                if time.monotonic() > deadline:
                    raise
                self._say(f"waits for the cluster: {error.message}")
                time.sleep(AGAIN_S)

    def _placed(self) -> str:
        """Wait for an actor with what was ordered. Returns the name of its machine."""
        ray, order = self._ray, self._order
        ray.cloudpickle.register_pickle_by_value(actor)
        node = ray.get_runtime_context().get_node_id() if order.here else self._node_to_span_from() if order.span else None
        gpus = self._gpus = self._one_if_any(node) if order.gpus is None else order.gpus
        options: dict[str, Any] = {"num_cpus": order.cpus, "num_gpus": gpus, "max_restarts": 0, "max_task_retries": 0}
        if node is not None:
            affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)
            options["scheduling_strategy"] = affinity
        cls = ray.remote(concurrency_groups={"in": 1, "out": 1})(actor.Seat)
        self._actor = cls.options(**options).remote()
        asked = self._actor.node.remote()
        while not ray.wait([asked], timeout=ROOM_S)[0]:
            self._say(self._full({"GPU": gpus, "CPU": order.cpus}, together=True))
        return str(ray.get(asked))

    def _one_if_any(self, node: str | None) -> int:
        has = [n["Resources"].get("GPU", 0) for n in self._ray.nodes() if n["Alive"] and node in (None, n["NodeID"])]
        return int(any(count >= 1 for count in has))

    def _node_to_span_from(self) -> str:
        """Wait until so many GPUs are free, and give them back to whoever starts there and takes them."""
        group = self._ray.util.placement_group([{"GPU": 1}] * self._order.span, strategy="PACK")
        try:
            while not group.wait(ROOM_S):
                self._say(self._full({"GPU": self._order.span}, together=False))
            return str(self._ray.util.placement_group_table(group)["bundles_to_node_id"][0])
        finally:
            self._ray.util.remove_placement_group(group)

    def _full(self, resources: dict[str, float], together: bool) -> str:
        """The message of what is waited for and what is free."""
        total, free = self._ray.cluster_resources(), self._ray.available_resources()
        resources = {name: count for name, count in resources.items() if count}
        if not resources:
            return "waits for Ray to start an actor"
        needs = " and ".join(f"{count:g} {name}{'s' * (count != 1)}" for name, count in resources.items())
        left = ", ".join(f"{free.get(name, 0):g} of {total.get(name, 0):g} {name}s" for name in resources)
        has = [node["Resources"] for node in self._ray.nodes() if node["Alive"]] if together else [total]
        message = f"waits for room on the cluster: it needs {needs}{' on one machine' * together}; free: {left}"
        if any(all(one.get(name, 0) >= count for name, count in resources.items()) for one in has):
            return message
        return f"{message}. {'No machine of it has that many' if together else 'It has fewer'}: add some, or ask for less"

    def _start(self, command: list[str], where: str) -> None:
        order = self._order
        environment = order.environment | {name: os.environ[name] for name in MARKS if name in os.environ}
        if not self._gpus and not order.span:
            environment["CUDA_VISIBLE_DEVICES"] = ""  # Ray leaves all of them to an actor that has reserved none
        if order.span:
            environment["RAY_ADDRESS"] = self._ray.get_runtime_context().gcs_address
        missing = self._ray.get(self._actor.start.remote(command, environment, order.files, bool(order.span)))
        if missing:
            raise ModelError(
                f"The machine {where} has no {', '.join(missing)}.",
                "Keep models, variants (`variants_folder`) and lrm-tui where all machines have them at the same path.",
            )
        with self._mutex:
            self._started = True
            self._pass_on()

    def _pump(self, where: str) -> int:
        """Carry the process's output until its end."""
        read = self._actor.read.options(concurrency_group="out")
        while True:
            out, err, code = self._ray.get(read.remote(READ_S))
            sys.stderr.buffer.write(err)
            sys.stderr.flush()
            if out:
                self._write(out)
            if code is not None and code < 0:
                raise Lost(f"ended by {signal.Signals(-code).name} on {where}")
            if code is not None:
                return int(code)

    def _listen(self) -> None:
        """Pass stdin on. Its end is the end of everything: the runner has closed it, or has died."""
        while data := os.read(self._stdin.fileno(), INPUT):
            with self._mutex:
                self._input.append(data)
                if self._started:
                    self._pass_on()
        self._leave()

    def _pass_on(self) -> None:
        if self._input:
            self._actor.write.options(concurrency_group="in").remote(b"".join(self._input))
        self._input = []

    def _leave(self) -> NoReturn:
        """End the process on the cluster and return only when it is gone, so that its memory is free for the next."""
        if self._started:
            with contextlib.suppress(Exception):
                self._ray.get(self._actor.end.options(concurrency_group="in").remote(), timeout=END_S)
        os._exit(0)  # Ray ends the actors of a driver that has ended

    def _say(self, waiting: str) -> None:
        if waiting != self._told:
            self._told = waiting
            self._write(encode(Waiting(type="waiting", message=waiting)))

    def _write(self, data: bytes) -> None:
        try:
            self._stdout.write(data)
            self._stdout.flush()
        except BrokenPipeError:
            self._leave()


def main() -> int:
    """Read the order. Returns the exit status."""
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
