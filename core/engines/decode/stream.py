"""State of one request in an engine: its settings, its tokens so far, and its end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..host.wire import Delta, Deltas, Event, Finished, FinishReason, Generate, Started
from ..thinking import State
from .sampling import draw, uniform
from .text import Piece, TextDecoder


class Stops:
    """Detects stop strings in a streamed text, also across pieces."""

    def __init__(self, stops: Sequence[str], before: str) -> None:
        self._stops = [stop for stop in stops if stop]
        self._reach = max(map(len, self._stops), default=1) - 1
        self._tail = before[-self._reach :] if self._reach else ""

    def met(self, text: str) -> bool:
        """Whether `text`, after all that came before, completes one of them."""
        if not self._stops:
            return False
        seen = self._tail + text
        self._tail = seen[-self._reach :] if self._reach else ""
        return any(stop in seen for stop in self._stops)


class Stream:
    """A request with its prompt in tokens.

    `ids` is all that the model must see: prompt, prefix, new tokens. `fed` of them have gone through the model; the engine
    keeps count. `before` is the text of the prefix's last tokens, in which a stop string may begin,
    `thinking` where the prompt leaves the thinking.
    """

    def __init__(
        self,
        request: Generate,
        prompt: str,
        prompt_ids: Sequence[int],
        context: int,
        decoder: TextDecoder,
        before: str = "",
        thinking: State | None = None,
    ) -> None:
        self.id = request.id
        self.ids = [*prompt_ids, *request.prefix]
        self.fed = 0
        self.prompt_tokens = len(prompt_ids)
        self.limit = min(request.sampling.max_tokens, context - len(prompt_ids))
        self.finished = False
        self._request = request
        self._prompt, self._thinking = prompt, thinking
        self._decoder = decoder
        self._stops = Stops(request.sampling.stop, before)

    def start(self) -> list[Event]:
        """The events of entering the batch; a prefix that fills the limit already finishes the stream."""
        events: list[Event] = [Started(self.id, self._prompt, self.prompt_tokens, self.limit, thinking=self._thinking)]
        if len(self.ids) - self.prompt_tokens >= self.limit:
            events += self.finish("length")
        return events

    def advance(self, logits: NDArray[np.float32], end_ids: frozenset[int]) -> list[Event]:
        """Draw the next token from its logits, [vocabulary]. Tokens in `end_ids` end the stream and are in no delta."""
        position = len(self.ids) - self.prompt_tokens
        try:
            token = draw(logits, self._request.sampling, uniform(self._request.seed, position))
        except ValueError as error:
            return self.finish("error", str(error))
        return self.finish("stop") if token in end_ids else self.accept(token)

    def accept(self, token: int) -> list[Event]:
        """Take the next token as drawn; it may complete a stop string or reach the limit."""
        self.ids.append(token)
        piece = self._decoder.push(token)
        events = self._delta(piece)
        if piece and self._stops.met(piece[0]):
            events += self.finish("stop")
        elif len(self.ids) - self.prompt_tokens >= self.limit:
            events += self.finish("length")
        return events

    def finish(self, reason: FinishReason, error: str | None = None) -> list[Event]:
        """Flush the text and end the stream."""
        self.finished = True
        return [*self._delta(self._decoder.flush()), Finished(self.id, reason, error)]

    def _delta(self, piece: Piece | None) -> list[Event]:
        return [Deltas((Delta(self.id, *piece),))] if piece else []
