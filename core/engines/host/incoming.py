"""What the runner takes from a host: its messages with every field of the right type, since hosts can be anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from . import wire

_COUNTS = range(2**53)
_TOKENS = range(2**32)  # what the store keeps of a token id
_UNREADABLE = "it sent a message whose fields have other types than the protocol's"


def event(line: str | bytes) -> wire.Request | wire.Event:
    """The message in one line; one that cannot be right counts as the end of the host, whose responses then resume.

    To skip it would lose tokens without a trace. Raises ValueError on what is no message at all.
    """
    message = wire.decode(line)
    return message if _valid(message) else wire.Failed("lost", _UNREADABLE)


def _valid(message: wire.Request | wire.Event) -> bool:
    match message:
        case wire.Deltas(items):
            return all(_texts(one.id, one.text) and all(map(_token, one.ids)) and _count(one.pieces) for one in items)
        case wire.Started():
            texts = _texts(message.id, message.prompt) and _text_or_none(message.thinking)
            tokens = message.prompt_tokens is None or _count(message.prompt_tokens)
            return texts and tokens and _count(message.limit) and _count(message.empty_replies)
        case wire.Finished():
            reason = message.reason in get_args(wire.FinishReason)
            texts = _texts(message.id) and _text_or_none(message.error) and _text_or_none(message.thinking)
            return reason and texts and _usage(message.usage) and _count(message.empty_replies)
        case wire.Failed(kind, text, remedy):
            return _texts(kind, text, remedy)
        case wire.Waiting(text):
            return _texts(text)
        case wire.Ready():
            texts = _texts(message.engine, message.version, message.opens, message.closes)
            return texts and all(map(_token, message.close_ids)) and _count(message.slots) and message.slots > 0
    return True


def _texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _token(value: object) -> bool:
    return type(value) is int and value in _TOKENS


def _count(value: object) -> bool:
    return type(value) is int and value in _COUNTS


def _usage(value: object) -> bool:
    return value is None or (isinstance(value, Mapping) and all(map(_count, value.values())))
