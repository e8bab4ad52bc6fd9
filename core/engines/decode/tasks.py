"""Common base of engines whose library batches requests: each request is a coroutine that yields events.

They run in one event loop, in a thread of its own; `step` returns the events that have arrived.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import replace

from ..host.engine import EngineFailure
from ..host.wire import Delta, Deltas, Event, Finished, Generate

TICK_S = 0.02  # between two steps: what arrives meanwhile goes on together
WAIT_S = 0.05  # how long a step waits for an event, and so how long a new request waits at most


class Tasks:
    """Base of an `engine.Engine`; subclasses load the model, call `_open`, and answer requests in `_answer`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._events: queue.SimpleQueue[Event | BaseException] = queue.SimpleQueue()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._unfinished = 0
        self._last_step = 0.0

    def _answer(self, request: Generate) -> AsyncIterator[Event]:
        """The events of one request, with its `Finished`. It is cancelled at an await; EngineFailure ends the host."""
        raise NotImplementedError

    def _open(self, slots: int) -> None:
        """Start the event loop; at most `slots` requests run at once."""
        self._room = asyncio.Semaphore(slots)
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def submit(self, request: Generate) -> None:
        """Start a request; it waits for room in its own coroutine."""
        self._unfinished += 1
        self._loop.call_soon_threadsafe(self._start, request)

    def cancel(self, request_id: str) -> None:
        """Drop a request; the task reports it when it has ended."""
        self._loop.call_soon_threadsafe(self._drop, request_id)

    @property
    def busy(self) -> bool:
        """Whether any request has not been reported as finished."""
        return self._unfinished > 0

    def step(self) -> Iterable[Event]:
        """The events that have arrived, new text in one piece a request; waits up to `WAIT_S` for the first."""
        time.sleep(max(0.0, min(TICK_S, self._last_step + TICK_S - time.monotonic())))
        events: list[Event | BaseException] = []
        with contextlib.suppress(queue.Empty):
            events.append(self._events.get(timeout=WAIT_S))
            while True:
                events.append(self._events.get_nowait())
        self._last_step = time.monotonic()
        for event in merged(events):
            if isinstance(event, BaseException):
                raise event
            self._unfinished -= isinstance(event, Finished)
            yield event

    def _start(self, request: Generate) -> None:
        task = self._loop.create_task(self._run(request))
        self._tasks[request.id] = task
        task.add_done_callback(lambda done: self._ended(request.id, done))

    def _drop(self, request_id: str) -> None:
        task = self._tasks.pop(request_id, None)
        if task is not None:
            task.cancel()

    async def _run(self, request: Generate) -> None:
        async with self._room:
            async for event in self._answer(request):
                self._events.put(event)

    def _ended(self, request_id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(request_id) is task:
            del self._tasks[request_id]
        if task.cancelled():
            self._events.put(Finished(request_id, "cancelled"))
        elif (error := task.exception()) is not None:
            known = isinstance(error, (EngineFailure, MemoryError))
            self._events.put(
                error if known else EngineFailure("engine", f"{type(error).__name__}: {error}", "See the host's log.")
            )


def merged(events: Iterable[Event | BaseException]) -> Iterator[Event | BaseException]:
    """The same events, deltas between two others as one message with one delta a request."""
    waiting: dict[str, Delta] = {}
    for event in events:
        if isinstance(event, Deltas):
            for new in event.items:
                old = waiting.get(new.id)
                waiting[new.id] = new if old is None else _joined(old, new)
            continue
        if waiting:
            yield Deltas(tuple(waiting.values()))
            waiting = {}
        yield event
    if waiting:
        yield Deltas(tuple(waiting.values()))


def _joined(old: Delta, new: Delta) -> Delta:
    return replace(old, text=old.text + new.text, ids=old.ids + new.ids, pieces=old.pieces + new.pieces)
