"""Odd replies of a server, read by the real code of the engine `openai`, as the events that its host then sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from core.engines.host import wire
from core.engines.openai.reading import Broken, Reply

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
    read = Reply()
    try:
        text, pieces = read.read([json.dumps(reply).encode()])
    except (Broken, ValueError, LookupError) as error:
        yield wire.Finished(key, "error", f"The server's reply cannot be read: {error}.")
        return
    yield wire.Deltas((wire.Delta(key, text, (), pieces),))
    yield wire.Finished(key, "error", "The server sent something else.", read.usage)
