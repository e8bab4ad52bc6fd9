"""The kernel: one task runs at a time, on a virtual clock, in an order drawn from a seed.

Tasks are real threads of which exactly one holds the baton. They give it back at waits and at statements of the store; time
passes only when every task waits. So the same seed gives the same order of events, whatever the machine does meanwhile.
"""

from __future__ import annotations

import hashlib
import heapq
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulator.machine import Process

EPOCH = 1_800_000_000.0
SWITCH = 0.3  # how often a task gives the baton back at a point where it could go on


class Killed(BaseException):
    """The task's process has ended: unwinds its thread without letting it do anything more."""


class Violation(Exception):
    """An invariant does not hold."""


class Task:
    """One thread of a simulated process."""

    def __init__(self, kernel: Kernel, process: Process, run: Callable[[], object], name: str) -> None:
        self.process, self.name = process, name
        self._kernel, self._run = kernel, run
        self._go, self._back = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._back.acquire()
        self.done = False
        self.waits = 0  # counts waits, so that a timer of an earlier one is ignored
        self.woken = False
        self.joiners: list[Task] = []
        self._thread = threading.Thread(target=self._body, name=name, daemon=True)
        self._thread.start()

    def _body(self) -> None:
        self._go.acquire()
        with suppress(Killed):
            try:
                self.process.check()
                self._run()
            except Exception as error:
                self._kernel.failed(self, error)
        self.done = True
        if self.process.alive:
            for task in self.joiners:
                self._kernel.wake(task)
        self._back.release()

    def resume(self) -> None:
        """Hand over the baton until the task gives it back."""
        self._go.release()
        self._back.acquire()

    def pause(self) -> None:
        """Give the baton back until the task is resumed."""
        self._back.release()
        self._go.acquire()


class Kernel:
    """Tasks, timers, the clock, and the log of what happened."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"order {seed}")
        self.now = 0.0
        self.offset = EPOCH  # of the wall clock; jumps change it
        self.log: list[str] = []
        self.violation: Violation | None = None
        self.current: Task | None = None
        self._ready: list[Task] = []
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def say(self, text: str) -> None:
        """Add to the log of events."""
        who = self.current.process.title if self.current is not None else "-"
        self.log.append(f"{self.now:10.3f} {who:<14} {text}".encode("utf-8", "backslashreplace").decode())

    @property
    def digest(self) -> str:
        """A hash of all that happened."""
        return hashlib.sha256("\n".join(self.log).encode()).hexdigest()

    def violated(self, what: str) -> None:
        """Note the first invariant that does not hold; the simulation ends at the next step."""
        self.say(f"VIOLATION {what}")
        if self.violation is None:
            self.violation = Violation(what)

    def failed(self, task: Task, error: Exception) -> None:
        """Note an exception that nobody caught."""
        self.say(f"exception in {task.name}: {type(error).__name__}: {error}")
        task.process.crashed(task, error)

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Call a function after so many seconds of virtual time."""
        heapq.heappush(self._timers, (self.now + seconds, next(self._numbers), do))

    def start(self, process: Process, run: Callable[[], object], name: str) -> Task:
        """Begin a task."""
        task = Task(self, process, run, name)
        process.tasks.append(task)
        self._ready.append(task)
        return task

    def wake(self, task: Task) -> None:
        """Let a waiting task go on."""
        if not task.woken and not task.done and task not in self._ready:
            task.woken = True
            self._ready.append(task)

    def wait(self, seconds: float | None) -> None:
        """Let the current task wait until it is woken, or so long."""
        task = self._task()
        task.process.check()
        task.waits += 1
        task.woken = False
        if seconds is not None:
            number = task.waits
            self.later(max(0.0, seconds), lambda: self.wake(task) if task.waits == number else None)
        task.pause()
        task.process.check()
        task.process.take_signals(task)

    def sleep(self, seconds: float) -> None:
        """Let the current task wait so long, whoever wakes it."""
        end = self.now + seconds
        self.wait(seconds)
        while self.now < end:
            self.wait(end - self.now)

    def point(self) -> None:
        """A place where the current task may be interrupted, or its process killed."""
        task = self.current
        if task is None:
            return
        task.process.check()
        task.process.pass_point()
        if self._ready and self.rng.random() < SWITCH:
            self._ready.append(task)
            task.pause()
            task.process.check()
        task.process.take_signals(task)

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Run all tasks for so long, or until something holds. Returns whether it does; raises Violation."""
        end = self.now + seconds
        while True:
            if self.violation is not None:
                raise self.violation
            if self._ready:
                self.hand(self._ready.pop(self.rng.randrange(len(self._ready))))
            elif until():
                return True
            elif self._timers and self._timers[0][0] <= end:
                self.now, _, do = heapq.heappop(self._timers)
                do()
            else:
                self.now = end
                return False

    def hand(self, task: Task) -> None:
        """Hand the baton to a task until it gives it back."""
        if task in self._ready:
            self._ready.remove(task)
        before, self.current = self.current, task
        task.resume()
        self.current = before

    def drop(self, task: Task) -> None:
        """Never resume a task."""
        if task in self._ready:
            self._ready.remove(task)

    def _task(self) -> Task:
        assert self.current is not None, "only a task can wait"
        return self.current
