"""A real engine host under test, spoken to on its pipes."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.engines.host.wire import (
    Cancel,
    Deltas,
    Event,
    Failed,
    Finished,
    Generate,
    Load,
    Ready,
    Request,
    Sampling,
    Started,
    decode,
    encode,
)

LOAD_S = 600.0  # a busy machine imports PyTorch in minutes
HOST = Path(__file__).parents[2] / "core" / "engines" / "host" / "host.py"


class Answer:
    """What came back for one request."""

    def __init__(self) -> None:
        self.started: Started | None = None
        self.finished: Finished | None = None
        self.text = ""
        self.ids: tuple[int, ...] = ()
        self.deltas = 0


class Host:
    """A running host, the events that came from it, and the answers put together from them."""

    def __init__(self, engine: str, python: str = sys.executable, script: Path = HOST) -> None:
        self.process = subprocess.Popen(
            [python, "-P", str(script), engine], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/"
        )
        self.events: list[Event] = []
        self.answers: dict[str, Answer] = {}
        self._inbox: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._inbox.put(decode(line))  # type: ignore[arg-type]
        self._inbox.put(None)

    def send(self, *messages: Request) -> None:
        assert self.process.stdin is not None
        for message in messages:
            if isinstance(message, Generate):
                self.answers[message.id] = Answer()
            self.process.stdin.write(encode(message).encode())
        self.process.stdin.flush()

    def next_event(self, timeout: float = 180.0) -> Event | None:
        """The next event, or None when the host has closed its stdout."""
        event = self._inbox.get(timeout=timeout)
        if event is None:
            return None
        self.events.append(event)
        if isinstance(event, Deltas):
            for delta in event.items:
                answer = self.answers[delta.id]
                answer.text += delta.text
                answer.ids += delta.ids
                answer.deltas += 1
        elif isinstance(event, Started):
            self.answers[event.id].started = event
        elif isinstance(event, Finished):
            self.answers[event.id].finished = event
        return event

    def load(self, model: Path | str, **options: Any) -> Ready:
        self.send(Load(str(model), options))
        event = self.next_event(LOAD_S)
        assert isinstance(event, Ready), event
        return event

    def refuse(self, model: Path | str, **options: Any) -> Failed:
        """Load what cannot be loaded; the host must say why and end."""
        self.send(Load(str(model), options))
        event = self.next_event(LOAD_S)
        assert isinstance(event, Failed), event
        assert self.next_event() is None
        assert self.process.wait(10) == 1
        return event

    def wait(self, *ids: str) -> list[Answer]:
        """Wait until these requests have finished."""
        while any(self.answers[i].finished is None for i in ids):
            event = self.next_event()
            assert event is not None, "the host ended"
            assert not isinstance(event, Failed), event
        return [self.answers[i] for i in ids]

    def ask(self, prompt: str, *, id: str = "", prefix: tuple[int, ...] = (), seed: int = 1, **sampling: Any) -> Answer:
        """One request from beginning to end."""
        request = generate(id or f"r{len(self.answers)}", prompt, seed=seed, prefix=prefix, **sampling)
        self.send(request)
        return self.wait(request.id)[0]

    def fail(self, request: Generate) -> Failed:
        """A request that the engine dies of; it must say why."""
        self.send(request)
        while not isinstance(event := self.next_event(), Failed):
            assert event is not None, "the host ended without a word"
        return event

    def end(self) -> tuple[int, float]:
        """Close stdin; returns the exit code and the seconds that it took."""
        assert self.process.stdin is not None
        start = time.monotonic()
        self.process.stdin.close()
        return self.process.wait(10), time.monotonic() - start

    def cancel(self, request_id: str) -> None:
        self.send(Cancel(request_id))


def generate(
    id: str, prompt: str, *, chat: bool = False, seed: int = 1, prefix: tuple[int, ...] = (), **sampling: Any
) -> Generate:
    settings: Mapping[str, Any] = {"temperature": 1.0, "max_tokens": 40, **sampling}
    return Generate(id, prompt, chat, seed, Sampling(**settings), prefix)


@contextmanager
def running(engine: str, python: str = sys.executable, script: Path = HOST) -> Iterator[Host]:
    """A host that is surely gone afterwards."""
    host = Host(engine, python, script)
    try:
        yield host
    finally:
        host.process.kill()
        host.process.wait()
