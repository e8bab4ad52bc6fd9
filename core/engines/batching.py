"""What the engines that batch streams themselves have in common: how requests wait, join and are dropped."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from .chat import TemplateFailure
from .prompt import Prompts, Vocabulary
from .stream import Stream
from .wire import Event, Finished, Generate, Ready

_REACH = 64  # tokens of a prefix in which a stop string may have begun


class Batching:
    """Half of an `engine.Engine`: the other half loads the weights, calls `_open`, and steps `_streams`."""

    _vocabulary: Vocabulary
    _prompts: Prompts
    _slots: int
    _context: int

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
        self._vocabulary, self._prompts = vocabulary, Prompts(vocabulary)
        self._slots, self._context = slots, context
        think_end = vocabulary.tokenize("</think>", add_special=False)
        return Ready(engine, version, slots, context, think_end[0] if len(think_end) == 1 else None)

    def _admit(self) -> Iterator[Event]:
        """Report what was cancelled, then start waiting requests in free slots, at the end of `_streams`."""
        yield from self._dropped
        self._dropped = []
        while self._waiting and len(self._streams) < self._slots:
            request = self._waiting.popleft()
            try:
                prompt, ids = self._prompts.tokens(request)
            except TemplateFailure as failure:
                yield Finished(request.id, "error", str(failure))
                continue
            error = self._refusal(request, len(ids))
            if error:
                yield Finished(request.id, "error", error)
                continue
            before = self._vocabulary.decode(request.prefix[-_REACH:]) if request.sampling.stop else ""
            decoder = self._vocabulary.decoder(request.prefix)
            stream = Stream(request, prompt, ids, self._context, decoder, before)
            yield from stream.start()
            if not stream.finished:
                self._streams.append(stream)

    def _refusal(self, request: Generate, prompt_tokens: int) -> str | None:
        """Why a request cannot be run at all, or None."""
        if prompt_tokens == 0:
            return "The prompt is empty, so the model has nothing to go on from. Give it some text."
        if prompt_tokens >= self._context:
            return (
                f"The prompt has {prompt_tokens} tokens, and the context holds {self._context} with the answer. "
                "Raise the engine's context or shorten the prompt."
            )
        if not all(0 <= token < self._vocabulary.vocab_size for token in request.prefix):
            return "The stored tokens are not this model's: start the response again."
        return None
