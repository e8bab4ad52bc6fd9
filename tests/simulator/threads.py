"""What stands for `time`, `threading`, `queue` and `Future` in the simulated code."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from tests.simulator.kernel import Kernel, Task


class Clock:
    """Stands for the module `time`."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def monotonic(self) -> float:
        return self._kernel.now

    def perf_counter(self) -> float:
        return self._kernel.now

    def time(self) -> float:
        return self._kernel.offset + self._kernel.now

    def time_ns(self) -> int:
        return int(self.time() * 1e9)

    def sleep(self, seconds: float) -> None:
        self._kernel.sleep(seconds)

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


class Waiters:
    """Tasks that wait for the same thing."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._tasks: list[Task] = []

    def until(self, holds: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until a condition holds, at most so long. Returns whether it does."""
        kernel = self.kernel
        end = None if timeout is None else kernel.now + timeout
        while not holds():
            if end is not None and kernel.now >= end:
                return False
            task = kernel.current
            assert task is not None
            self._tasks.append(task)
            try:
                kernel.wait(None if end is None else end - kernel.now)
            finally:
                if task in self._tasks:
                    self._tasks.remove(task)
        return True

    def wake(self) -> None:
        """Let all look again."""
        for task in self._tasks:
            self.kernel.wake(task)


class Event:
    """Stands for `threading.Event`."""

    def __init__(self, kernel: Kernel) -> None:
        self._waiters, self._set = Waiters(kernel), False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        self._waiters.wake()

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        self._waiters.kernel.point()
        return self._waiters.until(self.is_set, timeout)


class RLock:
    """Stands for `threading.RLock`, and for `Lock`, which nobody here takes twice."""

    def __init__(self, kernel: Kernel) -> None:
        self._waiters = Waiters(kernel)
        self._owner: Task | None = None
        self._depth = 0

    def acquire(self) -> bool:
        me = self._waiters.kernel.current
        self._waiters.until(lambda: self._owner in (None, me))
        self._owner = me
        self._depth += 1
        return True

    def release(self) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            self._waiters.wake()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Thread:
    """Stands for `threading.Thread`."""

    def __init__(
        self, kernel: Kernel, target: Callable[..., object], args: Sequence[Any] = (), name: str = "", daemon: bool = True
    ) -> None:
        self._kernel, self._name = kernel, name or getattr(target, "__name__", "thread")
        self._run = lambda: target(*args)
        self._task: Task | None = None

    def start(self) -> None:
        starter = self._kernel.current
        assert starter is not None
        self._task = self._kernel.start(starter.process, self._run, self._name)

    def is_alive(self) -> bool:
        return self._task is not None and not self._task.done

    def join(self, timeout: float | None = None) -> None:
        assert self._task is not None
        end = None if timeout is None else self._kernel.now + timeout
        while not self._task.done and (end is None or self._kernel.now < end):
            me = self._kernel.current
            assert me is not None
            self._task.joiners.append(me)
            self._kernel.wait(None if end is None else end - self._kernel.now)


class Threading:
    """Stands for the module `threading`."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def Event(self) -> Event:
        return Event(self._kernel)

    def Lock(self) -> RLock:
        return RLock(self._kernel)

    RLock = Lock

    def Thread(self, *arguments: Any, **named: Any) -> Thread:
        return Thread(self._kernel, *arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(threading, name)


class SimpleQueue:
    """Stands for `queue.SimpleQueue`."""

    def __init__(self, kernel: Kernel) -> None:
        self._waiters = Waiters(kernel)
        self._items: deque[Any] = deque()

    def put(self, item: Any) -> None:
        self._items.append(item)
        self._waiters.wake()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if block and not self._waiters.until(lambda: bool(self._items), timeout):
            raise queue.Empty
        return self.get_nowait()

    def get_nowait(self) -> Any:
        if not self._items:
            raise queue.Empty
        return self._items.popleft()

    def qsize(self) -> int:
        return len(self._items)

    def empty(self) -> bool:
        return not self._items


class Queues:
    """Stands for the module `queue`."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def SimpleQueue(self) -> SimpleQueue:
        return SimpleQueue(self._kernel)

    def __getattr__(self, name: str) -> Any:
        return getattr(queue, name)


class Future:
    """Stands for `concurrent.futures.Future`."""

    def __init__(self, kernel: Kernel) -> None:
        self._waiters = Waiters(kernel)
        self._ended = False
        self._result: Any = None
        self._error: BaseException | None = None

    def set_result(self, result: Any) -> None:
        self._result, self._ended = result, True
        self._waiters.wake()

    def set_exception(self, error: BaseException) -> None:
        self._error, self._ended = error, True
        self._waiters.wake()

    def exception(self) -> BaseException | None:
        self._waiters.until(lambda: self._ended)
        return self._error

    def result(self) -> Any:
        if self.exception() is not None:
            raise self.exception()  # type: ignore[misc]
        return self._result
