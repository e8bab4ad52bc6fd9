"""Puts the simulated machine in the place of the real one: the names of modules within the code that is simulated.

The code itself has no seams for it. Whatever of `core` holds `time` gets the virtual clock; threads, processes, signals, locks
and SQLite are replaced in the modules that use them.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_type_hints

import core.files.locks
import core.results.summary_cache
import core.runner.__main__
import core.runner.cluster.shares
import core.runner.questions
import core.settings
import core.store.backup
import core.store.identity
import core.store.integrity
import core.store.schema
import core.store.upgrade
import core.store.watch
from core.engines.host import options
from core.runner import child, client, engine_process, gpus, processes, run, runner, scheduler, supervisor
from core.store import connection, fence, runner_store
from tests.simulator.machine import Locks, Machine, Os, Process, Signals
from tests.simulator.pipes import Subprocess
from tests.simulator.threads import Clock, Future, Queues, Threading

if TYPE_CHECKING:
    from tests.simulator.world import World

THREADED = (
    child,
    engine_process,
    run,
    scheduler,
    fence,
    core.runner.cluster.shares,
    core.runner.__main__,
    core.runner.questions,
)


POLL_S = 0.4
"""Seconds between two looks of a command that waits for a runner: each opens the store, which costs the simulator most."""
RETIRE_S, HOST_IDLE_S = 5.0, 2.0
"""Of an idle runner: short, so that ends and new tasks meet."""
_type_hints = lru_cache(get_type_hints)
"""What is slow and always the same."""


class Psutil:
    """Stands for the module `psutil`."""

    class NoSuchProcess(Exception):
        """As in psutil."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def Process(self, pid: int | None = None) -> Seen:
        self._machine.here.check()
        process = self._machine.here if pid is None else self._machine.processes.get(pid)
        if process is None or not process.alive:
            raise self.NoSuchProcess
        return Seen(self._machine, process)


class Seen:
    """Stands for `psutil.Process`."""

    def __init__(self, machine: Machine, process: Process) -> None:
        self._machine, self._process = machine, process
        self.pid = process.pid

    def create_time(self) -> float:
        return self._machine.started(self._process)

    def parents(self) -> list[Seen]:
        parent = self._machine.processes.get(self._process.parent)
        return [] if parent is None else [Seen(self._machine, parent), *Seen(self._machine, parent).parents()]


class Own(MutableMapping[Any, Any]):
    """Stands for a module's dictionary, of which each process has its own."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._of: dict[int, dict[Any, Any]] = {}

    @property
    def _mine(self) -> dict[Any, Any]:
        return self._of.setdefault(self._machine.here.pid, {})

    def __getitem__(self, key: Any) -> Any:
        return self._mine[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._mine[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._mine[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._mine)

    def __len__(self) -> int:
        return len(self._mine)


@contextmanager
def simulated(world: World) -> Iterator[None]:
    """Run the code on the simulated machine for the length of the block."""
    before: list[tuple[object, str, Any]] = []

    def put(module: object, name: str, value: object) -> None:
        before.append((module, name, getattr(module, name)))
        setattr(module, name, value)

    environment = dict(os.environ)
    os.environ["LRM_SETTINGS"] = str(world.settings)
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    try:
        _put_all(world, put)
        _forget_caches()
        yield
    finally:
        for module, name, value in reversed(before):
            setattr(module, name, value)
        os.environ.clear()
        os.environ.update(environment)


def _put_all(world: World, put: Callable[[object, str, object], None]) -> None:
    kernel, machine = world.kernel, world.machine
    clock, threads, system = Clock(kernel), Threading(kernel), Os(machine)
    for name, module in sorted(sys.modules.items()):
        if name.startswith("core.") and getattr(module, "time", None) is time:
            put(module, "time", clock)
    for module in THREADED:
        put(module, "threading", threads)
    for module in (core.files.locks, core.store.identity, core.runner.__main__, processes, supervisor, runner, runner_store):
        put(module, "os", system)
    for module in (connection, core.store.integrity, core.store.backup, core.store.upgrade):
        put(module, "sqlite3", world.sqlite)
    for module in (core.files.locks, core.store.identity):
        put(module, "fcntl", Locks(kernel, fcntl))
    put(core.store.identity, "_descriptors", Own(machine))
    signals = Signals(machine, world.judge)
    for module in (processes, supervisor, runner):
        put(module, "signal", signals)
    put(child, "queue", Queues(kernel))
    for module in (child, supervisor):
        put(module, "subprocess", Subprocess(world.launch))
    put(client, "_start", world.start_runner)
    put(client, "POLL_S", POLL_S)
    put(runner, "RETIRE_S", RETIRE_S)
    put(runner, "HOST_IDLE_S", HOST_IDLE_S)
    put(core.runner.questions, "Future", lambda: Future(kernel))
    put(core.runner.questions, "_preloaded", Own(machine))
    _put_processes(machine, put)
    put(gpus, "_uuids", list)
    put(connection, "file_system", lambda _: "tmpfs")
    for module in (core.settings, options):
        put(module, "get_type_hints", _type_hints)
    response = run.Response

    def fresh(*arguments: Any) -> run.Response:
        made = response(*arguments)
        made.created = kernel.now
        return made

    put(run, "Response", fresh)


def _put_processes(machine: Machine, put: Callable[[object, str, object], None]) -> None:
    put(processes, "psutil", Psutil(machine))
    put(processes, "_pids", lambda: [pid for pid, process in sorted(machine.processes.items()) if process.alive])
    put(processes, "_run_id", lambda pid: machine.processes[pid].run_id if pid in machine.processes else "")
    put(processes, "_has_ended", lambda pidfd, patience: machine.wait(machine.processes[pidfd], patience))


def _forget_caches() -> None:
    """What the modules remember in a process."""
    core.runner.questions._version.cache_clear()
    core.store.integrity._sound.clear()
