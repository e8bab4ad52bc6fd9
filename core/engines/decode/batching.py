"""Common base of engines that batch streams themselves: queueing, admitting and cancelling requests."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ..host.wire import Event, Finished, Generate, Ready
from .admission import Admission, Refused
from .prompt import Vocabulary
from .stream import Stream


class Batching:
    """Base of an `engine.Engine`; subclasses load the weights, call `_open`, and step `_streams`."""

    _admission: Admission
    _slots: int

    def __init__(self) -> None:
        self._waiting: deque[Generate] = deque()
        self._streams: list[Stream] = []
        self._dropped: list[Event] = []

    def submit(self, request: Generate) -> None:
        """Queue a request for the next free slot."""
        self._waiting.append(request)

    def cancel(self, request_id: str) -> None:
        """Drop a request; the next step reports it."""
        for stream in self._streams:
            if stream.id == request_id and not stream.finished:
                self._dropped += stream.finish("cancelled")
                return
        for request in self._waiting:
            if request.id == request_id:
                self._waiting.remove(request)
                self._dropped.append(Finished(request_id, "cancelled"))
                return

    @property
    def busy(self) -> bool:
        """Whether any request waits, runs or has just ended."""
        return bool(self._waiting or self._streams or self._dropped)

    def _open(self, engine: str, version: str, vocabulary: Vocabulary, slots: int, context: int) -> Ready:
        """Take requests for these weights: `slots` at once, with at most `context` tokens of prompt and answer each."""
        self._admission, self._slots = Admission(vocabulary, context), slots
        return self._admission.ready(engine, version, slots, context)

    def _admit(self) -> Iterator[Event]:
        """Report what was cancelled, then start waiting requests in free slots, at the end of `_streams`."""
        yield from self._dropped
        self._dropped = []
        while self._waiting and len(self._streams) < self._slots:
            request = self._waiting.popleft()
            try:
                stream = self._admission.open(request)
            except Refused as refused:
                yield Finished(request.id, "error", str(refused))
                continue
            yield from stream.start()
            if not stream.finished:
                self._streams.append(stream)
