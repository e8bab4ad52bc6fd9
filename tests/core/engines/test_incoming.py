"""Messages of a host with a field of another type count as its end; whatever is right passes unchanged."""

from __future__ import annotations

import json

import pytest

from core.engines.host import incoming, wire

RIGHT = (
    wire.Ready("e", "1", 4, 4096, "<think>", "</think>", (7, 8)),
    wire.Started("1", "prompt", None, 64, 2, "opened"),
    wire.Deltas((wire.Delta("1", "text", (1, 2**32 - 1)), wire.Delta("2", "", (), 3))),
    wire.Prefill(12),
    wire.Finished("1", "error", "why", {"prompt_tokens": 3}, 1, "opened", True),
    wire.Failed("model", "message", "remedy"),
    wire.Waiting(""),
)
WRONG = (
    {"type": "deltas", "items": [["1", 7, [1], 0]]},
    {"type": "deltas", "items": [["1", "a", ["b"], 0]]},
    {"type": "deltas", "items": [["1", "a", [2**32], 0]]},
    {"type": "deltas", "items": [["1", "a", [-1], 0]]},
    {"type": "deltas", "items": [["1", "a", [], True]]},
    {"type": "deltas", "items": [["1", "good", [1], 0], [2, "bad", [1], 0]]},
    {"type": "started", "id": "1", "prompt": [], "prompt_tokens": 1, "limit": 1},
    {"type": "started", "id": "1", "prompt": "", "prompt_tokens": "x", "limit": 1},
    {"type": "started", "id": "1", "prompt": "", "prompt_tokens": 1, "limit": -1},
    {"type": "finished", "id": "1", "reason": "bored"},
    {"type": "finished", "id": "1", "reason": ["stop"]},
    {"type": "finished", "id": "1", "reason": "error", "error": ["no", "text"]},
    {"type": "finished", "id": "1", "reason": "stop", "usage": {"prompt_tokens": 1e30}},
    {"type": "finished", "id": "1", "reason": "stop", "usage": {"prompt_tokens": 2**70}},
    {"type": "finished", "id": "1", "reason": "stop", "usage": [1]},
    {"type": "failed", "kind": "engine", "message": None},
    {"type": "waiting", "message": 3},
    {"type": "ready", "engine": "e", "version": "1", "slots": 0, "context": 1, "close_ids": []},
)


@pytest.mark.parametrize("message", RIGHT)
def test_what_is_right_passes(message: wire.Event) -> None:
    assert incoming.event(wire.encode(message)) == message


@pytest.mark.parametrize("body", WRONG, ids=str)
def test_a_field_of_another_type_ends_the_host(body: dict[str, object]) -> None:
    assert isinstance(got := incoming.event(json.dumps(body)), wire.Failed) and got.kind == "lost"


@pytest.mark.parametrize("line", ["chatter of a library", "[1]", '{"type": "unknown"}', "7"])
def test_what_is_no_message_is_refused_as_before(line: str) -> None:
    with pytest.raises(ValueError):
        incoming.event(line)
