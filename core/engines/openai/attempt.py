"""One try at one request of an OpenAI-compatible server: its stream as text, its usage, and its failure."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import openai
from pydantic import ValidationError

from ..host.options import OpenAIOptions
from ..host.wire import FinishReason, Generate
from ..thinking import THINK_END
from .limits import BadReply
from .replies import Chunk, Content, Part, joined
from .request import arguments

T = TypeVar("T")
USAGE_S = 10.0  # how long the usage may come after the end of the text
LONGEST_WAIT_S = 3600.0  # a server that asks for more is not taken at its word
_AGAIN = (408, 409, 425, 429)


class Broken(Exception):
    """This try failed and may be retried; `after` is the pause that the server asks for, in seconds."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Malformed(Broken):
    """What came is not OpenAI's protocol; should it come again, it is the error of this response alone."""


class OutOfTime(Exception):
    """The wall-clock cap of the response is reached."""


class Try:
    """Reads one stream; afterwards `reason` and `usage` are known. Only text counts as a sign of life."""

    reason: FinishReason | None = None
    usage: dict[str, int] | None = None

    def __init__(self, options: OpenAIOptions, cap: float) -> None:
        self._silence, self._cap = options.silence, cap
        self._last_text = time.monotonic()
        self._reasoning = self._answering = self.filtered = False

    @property
    def thinks(self) -> bool:
        """Whether the reasoning has begun and not ended."""
        return self._reasoning

    async def texts(self, client: openai.AsyncOpenAI, model: str, request: Generate) -> AsyncIterator[str]:
        """The pieces of reasoning, `</think>` and content. Raises Broken, BadReply, OutOfTime or openai.APIStatusError."""
        try:
            async with await self._within(_opened(client, model, request)) as stream:
                pieces = aiter(stream)
                while (chunk := await self._within(_next(pieces))) is not None:
                    for text in self._read(chunk):
                        self._last_text = time.monotonic()
                        yield text
        except openai.APIStatusError as error:
            if error.status_code in _AGAIN or error.status_code >= 500:
                raise Broken(f"status {error.status_code}: {error.message}", _retry_after(error)) from error
            raise
        except openai.APIError as error:
            if isinstance(error.__cause__, BadReply):  # met while the reply was opened
                raise error.__cause__ from error
            raise Broken(error.message) from error
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
            raise Malformed(f"what came is not OpenAI's protocol: {error}") from error
        if self.reason is None:
            raise Broken("the stream broke off without a finish reason")

    async def _within(self, work: Awaitable[T]) -> T:
        """Await `work`. Raises OutOfTime at the cap, Broken after too long without text."""
        patience = self._silence if self.reason is None else USAGE_S
        limit = min(self._cap, self._last_text + patience) - time.monotonic()
        try:
            async with asyncio.timeout(limit):
                return await work
        except TimeoutError as error:
            if time.monotonic() >= self._cap:
                raise OutOfTime from error
            raise Broken(f"no text came for {patience:.0f} s") from error

    def _read(self, sent: Any) -> list[str]:
        """The texts in a chunk; stores its finish reason and usage."""
        chunk = _checked(sent)
        if chunk.usage is not None:
            self.usage = chunk.usage.counts
        if not chunk.choices:
            return []
        choice = chunk.choices[0]
        if choice.finish_reason:
            self.reason = "length" if choice.finish_reason == "length" else "stop"
            self.filtered = choice.finish_reason == "content_filter"
        delta = choice.delta
        if delta is None:  # the completions of raw prompts
            return [choice.text] if choice.text else []
        return self._joined(joined(delta.reasoning_content) or joined(delta.reasoning), delta.content)

    def _joined(self, reasoning: str, content: Content) -> list[str]:
        """The text of a delta, with `</think>` where the server goes over from reasoning to content.

        White space in the reasoning of a response that answers already is none: it would make its answer thinking.
        """
        if isinstance(content, list):  # parts of either kind, as Mistral's API sends them
            thinking = [part for part in content if isinstance(part, Part) and part.type == "thinking"]
            reasoning += joined([*thinking])
            content = joined([part for part in content if part not in thinking])
        texts = []
        if reasoning and (not self._answering or reasoning.strip()):
            self._reasoning = True
            texts.append(reasoning)
        if content:
            texts += [THINK_END, content] if self._reasoning else [content]
            self._reasoning, self._answering = False, True
        return texts


async def _opened(client: openai.AsyncOpenAI, model: str, request: Generate) -> Any:
    resource = client.chat.completions if request.chat else client.completions
    return await resource.create(**arguments(model, request))


def _checked(sent: Any) -> Chunk:
    """A chunk whose types and ranges are right. Raises ValueError naming the field that is not."""
    try:
        return Chunk.model_validate(sent)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


async def _next(pieces: AsyncIterator[T]) -> T | None:
    return await anext(pieces, None)


def _retry_after(error: openai.APIStatusError) -> float | None:
    """Seconds that the header Retry-After asks for, as a number or a date; None for what no server means."""
    text = error.response.headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
        except (ValueError, ArithmeticError):
            return None
    return seconds if 0 <= seconds <= LONGEST_WAIT_S else None
