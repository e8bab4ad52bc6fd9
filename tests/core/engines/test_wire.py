"""The host protocol: what comes through it can be written anywhere."""

from __future__ import annotations

import pytest

from core.engines.host.wire import Delta, Deltas, Event, Failed, Finished, Ready, decode, encode

HALF = "a \ud83d b"
MESSAGES: tuple[Event, ...] = (
    Failed("engine", HALF, HALF),
    Finished("q", "error", HALF),
    Ready("openai", HALF, 1, 1),
    Deltas((Delta("q", HALF, ()),)),
)


@pytest.mark.parametrize("message", MESSAGES)
def test_half_a_surrogate_pair_does_not_pass(message: Event) -> None:
    assert "a \ufffd b" in repr(decode(encode(message)))
    repr(decode(encode(message))).encode("utf-8")


def test_whole_pairs_stay() -> None:
    assert decode(encode(Failed("engine", "\N{GRINNING FACE} \\ud83d"))) == Failed("engine", "\N{GRINNING FACE} \\ud83d")
