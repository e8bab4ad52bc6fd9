"""What stands for the module `subprocess`: children of the simulated machine, with pipes that block on the virtual clock."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from tests.simulator.kernel import Kernel
from tests.simulator.machine import Machine, Process
from tests.simulator.threads import Waiters


class Pipe(io.RawIOBase):
    """The reading end of a pipe; the other end is the simulated child's."""

    def __init__(self, kernel: Kernel) -> None:
        self._waiters = Waiters(kernel)
        self._held = bytearray()
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self._waiters.until(lambda: bool(self._held) or self._ended)
        some = self._held[: len(buffer)]
        buffer[: len(some)] = some
        del self._held[: len(some)]
        return len(some)

    def put(self, data: bytes) -> None:
        """What the child writes."""
        self._held += data
        self._waiters.wake()

    def end(self) -> None:
        """The child has closed its end."""
        self._ended = True
        self._waiters.wake()


class Program(Protocol):
    """What a simulated child does."""

    def told(self, line: bytes) -> None:
        """A line came on its stdin."""

    def stdin_closed(self) -> None:
        """Its stdin was closed."""


class Stdin:
    """The writing end of a child's stdin."""

    def __init__(self, machine: Machine, process: Process, program: Program) -> None:
        self._machine, self._process, self._program = machine, process, program
        self._closed = False

    def write(self, data: bytes) -> None:
        self._machine.here.check()
        if self._closed or not self._process.alive:
            raise BrokenPipeError
        for line in data.splitlines():
            self._machine.kernel.later(0.001, partial(self._if_alive, partial(self._program.told, line)))

    def flush(self) -> None:
        if not self._process.alive:
            raise BrokenPipeError

    def close(self) -> None:
        """Also what the system does when the parent ends."""
        if not self._closed:
            self._closed = True
            self._machine.kernel.later(0.002, partial(self._if_alive, self._program.stdin_closed))

    def _if_alive(self, do: Callable[[], None]) -> None:
        if self._process.alive:
            do()


class Child:
    """Stands for `subprocess.Popen`: a child with its pipes."""

    def __init__(self, machine: Machine, process: Process, program: Program | None, stdout: Pipe, stderr: Pipe) -> None:
        self._machine, self._process = machine, process
        self.pid = process.pid
        self.returncode: int | None = None
        self.stdin = None if program is None else Stdin(machine, process, program)
        self.stdout, self.stderr = io.BufferedReader(stdout), io.BufferedReader(stderr)

    def wait(self, timeout: float | None = None) -> int:
        if not self._machine.wait(self._process, timeout):
            raise subprocess.TimeoutExpired("child", timeout or 0)
        self._process.reaped = True
        self.returncode = self._process.code
        return self.returncode or 0

    def poll(self) -> int | None:
        self.returncode = self._process.code
        return self.returncode


class Subprocess:
    """Stands for the module `subprocess`."""

    def __init__(self, launch: Callable[[Sequence[str], Mapping[str, str]], Child]) -> None:
        self._launch = launch

    def Popen(self, command: Sequence[str], env: Mapping[str, str] | None = None, **_: Any) -> Child:
        return self._launch(command, env or {})

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)
