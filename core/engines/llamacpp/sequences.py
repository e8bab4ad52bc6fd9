"""The sequences of one llama.cpp context, which are decoded together, a batch at a time."""

from __future__ import annotations

from heapq import heappop, heappush, heapreplace
from operator import itemgetter
from typing import TYPE_CHECKING

from ..decode.stream import Stream

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .native import LlamaContext


class Sequences:
    """Streams in one KV cache of `slots` sequences.

    A batch holds the last token of each sequence under way and, in the room that is left of `batch` tokens, slices of prompts.
    A prompt that several streams share (samples of one question) is read once: the others wait, and copy its cells. With
    `exact` the tokens of an answer go in one by one even where they are known already, and each stream reads its own prompt.
    """

    def __init__(self, cache: LlamaContext, slots: int, batch: int, *, exact: bool) -> None:
        self._cache, self._batch, self._exact = cache, batch, exact
        self._numbers: dict[Stream, int] = {}  # in the cache, without gaps while a batch is decoded
        self._free = list(range(slots))
        self._can_copy = not exact

    def __contains__(self, stream: Stream) -> bool:
        return stream in self._numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def full(self) -> bool:
        """Whether no stream can join."""
        return not self._free

    def join(self, stream: Stream) -> None:
        """Take a stream in, at the lowest free number."""
        self._numbers[stream] = heappop(self._free)

    def drop_finished(self) -> None:
        """Forget the streams that have ended."""
        for stream in [stream for stream in self._numbers if stream.finished]:
            number = self._numbers.pop(stream)
            heappush(self._free, number)
            self._cache.forget(number)
            if not self._numbers:
                self._cache.forget_all()

    def decode(self) -> list[tuple[Stream, NDArray[np.float32]]]:
        """Decode a batch. Returns the streams whose ids are all processed, with their next token's logits, [vocabulary]."""
        self._close_gaps()
        self._copy_prompts()
        counts = self._share_batch()
        sampled = []
        for stream in sorted(counts, key=self._numbers.__getitem__):
            end = stream.fed + counts[stream]
            last = end == len(stream.ids)
            self._cache.add(self._numbers[stream], stream.ids[stream.fed : end], stream.fed, last)
            stream.fed = end
            if last:
                sampled.append(stream)
        return list(zip(sampled, self._cache.decode(), strict=True))

    def _close_gaps(self) -> None:
        """Move the highest sequences into free lower numbers: a gap would cost another pass over the weights."""
        for stream, number in sorted(self._numbers.items(), key=itemgetter(1), reverse=True):
            if not self._free or self._free[0] > number:
                break
            self._numbers[stream] = heapreplace(self._free, number)
            self._cache.move(number, self._numbers[stream])

    def _copy_prompts(self) -> None:
        """Copy the cells of a prompt that another stream has read. Its last token is left to read, for the logits after it."""
        for stream, number in self._numbers.items():
            shared = stream.prompt_tokens - 1
            if not self._can_copy or stream.fed or shared < 1:
                continue
            reader = next((one for one in self._twins(stream) if one.fed >= stream.prompt_tokens), None)
            if reader is not None:
                self._can_copy = self._cache.copy(self._numbers[reader], number, shared)
                stream.fed = shared if self._can_copy else 0

    def _waits(self, stream: Stream) -> bool:
        """Whether another stream reads this one's prompt."""
        if not self._can_copy or stream.fed:
            return False
        before = list(self._numbers)[: list(self._numbers).index(stream)]
        return any(one.fed or one in before for one in self._twins(stream))

    def _twins(self, stream: Stream) -> list[Stream]:
        """The other streams with the same prompt."""
        n, prompt = stream.prompt_tokens, stream.ids[: stream.prompt_tokens]
        return [one for one in self._numbers if one is not stream and one.prompt_tokens == n and one.ids[:n] == prompt]

    def _share_batch(self) -> dict[Stream, int]:
        """How many tokens of each stream go in: those that need one come first, so that a long prefill never starves them."""
        counts = {}
        room = max(self._batch, len(self._numbers))
        for stream in sorted(self._numbers, key=lambda stream: len(stream.ids) - stream.fed > 1):
            count = 0 if self._waits(stream) else min(len(stream.ids) - stream.fed, room)
            if self._exact and stream.fed + count > stream.prompt_tokens:
                count = max(1, stream.prompt_tokens - stream.fed)
            room -= count
            if count:
                counts[stream] = count
        return counts
