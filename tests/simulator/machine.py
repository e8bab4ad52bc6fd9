"""The simulated machine: processes with their threads, locks, open stores and signals, and `kill -9` of any of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING

from tests.simulator.kernel import Kernel, Killed, Task
from tests.simulator.threads import Waiters

if TYPE_CHECKING:
    from tests.simulator.disk import Connection

Handler = Callable[[int, None], None]


class Process:
    """A simulated process. `owner` is the place and the inode of the store that it works for, `run_id` what its environment says."""

    def __init__(
        self, machine: Machine, pid: int, kind: str, parent: int, run_id: str = "", owner: frozenset[object] = frozenset()
    ) -> None:
        self.machine, self.pid, self.kind, self.parent, self.run_id, self.owner = machine, pid, kind, parent, run_id, owner
        self.title = f"{kind} {pid}"
        self.session = pid
        self.since_boot = machine.kernel.now
        self.alive = True
        self.code: int | None = None
        self.tasks: list[Task] = []
        self.descriptors: set[int] = set()
        self.connections: list[Connection] = []
        self.handlers: dict[int, Handler] = {}
        self.pending: list[int] = []
        self.ended = Waiters(machine.kernel)
        self.on_end: Callable[[], None] = lambda: None
        self.points_left: int | None = None  # until it is killed
        self.reaped = False

    @property
    def number_is_free(self) -> bool:
        """Whether another process may get its number: it has ended, and its parent has taken note or has ended too."""
        parent = self.machine.processes.get(self.parent)
        return not self.alive and (self.reaped or parent is None or not parent.alive)

    def begin(self, main: Callable[[], int]) -> None:
        """Start its main thread, with whose end the process ends."""
        self.machine.kernel.start(self, lambda: self.machine.end(self, main()), self.title)

    def check(self) -> None:
        """Raise Killed where it has ended."""
        if not self.alive:
            raise Killed

    def pass_point(self) -> None:
        """Count the places where it may be killed, down to the one where it is."""
        if self.points_left is not None:
            self.points_left -= 1
            if self.points_left <= 0:
                self.points_left = None
                self.machine.kill(self)

    def take_signals(self, task: Task) -> None:
        """Call the handlers of signals that came, in the main thread."""
        while self.pending and self.tasks and task is self.tasks[0]:
            number = self.pending.pop(0)
            self.handlers[number](number, None)

    def crashed(self, task: Task, error: Exception) -> None:
        """A thread of it ended with an exception: no simulated process may."""
        self.machine.kernel.violated(f"{self.kind}: a thread ({task.name}) failed: {type(error).__name__}: {error}")
        if task is self.tasks[0]:
            self.machine.kill(self, 1)


class Machine:
    """All processes, the living and the dead."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.processes: dict[int, Process] = {}
        self._pids = count(1000)
        self._boot = kernel.offset

    def process(self, kind: str, run_id: str = "", owner: frozenset[object] = frozenset(), pid: int | None = None) -> Process:
        """A new process, with a number of its own or one that was another's."""
        current = self.kernel.current
        parent = current.process.pid if current is not None else 1
        number = next(self._pids) if pid is None else pid
        process = self.processes[number] = Process(self, number, kind, parent, run_id, owner)
        return process

    def alive(self, *kinds: str) -> list[Process]:
        """The living processes of some kinds, in the order of their numbers."""
        return [one for _, one in sorted(self.processes.items()) if one.alive and one.kind in kinds]

    def started(self, process: Process) -> float:
        """When a process started by the wall clock, as the kernel tells it: it follows a clock that is set."""
        return self.kernel.offset + process.since_boot

    @property
    def here(self) -> Process:
        """The process that runs now."""
        assert self.kernel.current is not None
        return self.kernel.current.process

    def send(self, process: Process, number: int) -> None:
        """Send a signal."""
        if not process.alive:
            raise ProcessLookupError
        self.kernel.say(f"signal {number} to {process.title}")
        if number == signal.SIGKILL or number not in process.handlers:
            self.kill(process, -number)
        else:
            process.pending.append(number)
            self.kernel.wake(process.tasks[0])

    def end(self, process: Process, code: int) -> None:
        """End a process in order: the system closes what it has open, without another word of its own."""
        self.kill(process, code)

    def kill(self, process: Process, code: int = -signal.SIGKILL) -> None:
        """`kill -9`, unless a code says otherwise: nothing of it runs any more, and the disk stays as it is."""
        if not process.alive:
            return
        self.kernel.say(f"{process.title} ends with {code}")
        process.alive, process.code = False, code
        me = self.kernel.current
        for task in process.tasks:
            if task is not me and not task.done:
                self.kernel.hand(task)
        for connection in list(process.connections):
            connection.abandon()
        for descriptor in process.descriptors:
            os.close(descriptor)
        process.descriptors.clear()
        process.on_end()
        process.ended.wake()
        if me is not None and me.process is process:
            raise Killed

    def wait(self, process: Process, seconds: float | None = None) -> bool:
        """Let the current task wait for the end of a process."""
        return process.ended.until(lambda: not process.alive, seconds)


class Os:
    """Stands for the module `os` where the number of this process, descriptors or signals are meant."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def getpid(self) -> int:
        return self._machine.here.pid

    def _exit(self, code: int) -> None:
        self._machine.end(self._machine.here, code)

    def kill(self, pid: int, number: int) -> None:
        process = self._machine.processes.get(pid)
        if process is None:
            raise ProcessLookupError
        self._machine.send(process, number)

    def open(self, *arguments: object, **named: object) -> int:
        self._machine.here.check()
        descriptor = os.open(*arguments, **named)  # type: ignore[arg-type]
        self._machine.here.descriptors.add(descriptor)
        return descriptor

    def close(self, descriptor: int) -> None:
        if descriptor in self._machine.here.descriptors:  # those of a killed process are closed already
            self._machine.here.descriptors.remove(descriptor)
            os.close(descriptor)

    def pidfd_open(self, pid: int) -> int:
        process = self._machine.processes.get(pid)
        if process is None or not process.alive:
            raise ProcessLookupError
        return pid

    def waitid(self, _kind: int, pid: int, options: int) -> Status | None:
        process = self._machine.processes[pid]
        return None if process.alive else Status(process)

    def getsid(self, pid: int) -> int:
        return self._machine.processes[pid].session

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)


class Status:
    """What `os.waitid` tells of a process that has ended."""

    def __init__(self, process: Process) -> None:
        code = process.code or 0
        self.si_code = os.CLD_EXITED if code >= 0 else os.CLD_KILLED
        self.si_status = abs(code)


class Signals:
    """Stands for the module `signal`."""

    def __init__(self, machine: Machine, judge: Callable[[Process, Process], None]) -> None:
        self._machine, self._judge = machine, judge

    def signal(self, number: int, handler: Handler) -> None:
        self._machine.here.handlers[number] = handler

    def pidfd_send_signal(self, pidfd: int, number: int) -> None:
        victim = self._machine.processes[pidfd]
        self._judge(self._machine.here, victim)
        self._machine.send(victim, number)

    def __getattr__(self, name: str) -> object:
        return getattr(signal, name)


class Locks:
    """Stands for the module `fcntl`: waits for a lock without keeping the others from running."""

    def __init__(self, kernel: Kernel, module: Mapping[str, object] | object) -> None:
        self._kernel, self._module = kernel, module

    def flock(self, descriptor: int, how: int) -> None:
        import fcntl

        self._kernel.point()
        while True:
            try:
                fcntl.flock(descriptor, how | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if how & fcntl.LOCK_NB:
                    raise
                self._kernel.sleep(0.01)

    def __getattr__(self, name: str) -> object:
        return getattr(self._module, name)
