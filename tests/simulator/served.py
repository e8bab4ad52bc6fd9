"""Odd replies of a server, read by the real code of the engine `openai`, as the events that its host then sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openai.types.chat import ChatCompletionChunk

from core.engines.host import wire
from core.engines.host.options import OpenAIOptions
from core.engines.openai.attempt import Try

REPLIES: tuple[dict[str, Any], ...] = (
    {"choices": [{"delta": {"content": 7}, "finish_reason": "stop"}]},
    {"choices": [{"delta": {"content": {"a": [1]}}, "finish_reason": "stop"}]},
    {"choices": [{"delta": {"content": "text"}, "finish_reason": 5}]},
    {"choices": [{"delta": {"content": "text"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1e30}},
    {"choices": [{"delta": {"content": "text"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": "many"}},
    {"choices": [{"delta": {"content": "text"}, "finish_reason": "stop"}], "usage": {"completion_tokens": -1}},
    {"choices": {"0": "odd"}},
)
"""Chunks of a stream, each odd in another field."""


def events(key: str, reply: dict[str, Any]) -> Iterator[wire.Event]:
    """What a host sends for a reply that consists of one odd chunk: an error of this response, where it cannot be read."""
    attempt = Try(OpenAIOptions(), 1e9)
    try:
        texts = attempt._read(_sent(reply))
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        yield wire.Finished(key, "error", f"The server's reply cannot be read: {error}.")
        return
    for text in texts:
        yield wire.Deltas((wire.Delta(key, text, (), 1),))
    yield wire.Finished(key, "error", "The server sent something else.", attempt.usage)


def _sent(reply: dict[str, Any]) -> ChatCompletionChunk:
    """As the library hands it on: unchecked, with empty fields where there is nothing."""
    usage = reply.get("usage")
    return ChatCompletionChunk.construct(**reply, usage=None) if usage is None else ChatCompletionChunk.construct(**reply)
