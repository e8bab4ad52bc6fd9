"""What a server may send: types and ranges of a reply's chunks, checked while they are decoded."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=0, le=2**53)]
"""A number of tokens; more than any model has read is no such number."""


class Part(Struct):
    """A part of a text, which may hold parts again, as Mistral's API sends them."""

    type: str = "text"
    text: Content = None
    thinking: Content = None

    @property
    def whole(self) -> str:
        """Its text with that of its parts."""
        return joined(self.thinking) or joined(self.text)


Content = str | list[Part | str] | None


class Message(Struct):
    """What is new of an answer, or all of it where the server does not stream."""

    content: Content = None
    reasoning_content: Content = None
    reasoning: Content = None


class Choice(Struct):
    """One of the answers: a delta of a chat, a whole message, or the text of a raw prompt."""

    index: int = 0
    finish_reason: str | None = None
    delta: Message | None = None
    message: Message | None = None
    text: str | None = None


class Details(Struct):
    """What the completion's tokens were."""

    reasoning_tokens: Count | None = None


class Usage(Struct):
    """The tokens that the server counted."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    completion_tokens_details: Details | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The counts that it says, without those that cannot be: no tokens of an answer, more reasoning than there is."""
        details = self.completion_tokens_details
        reasoning = self.reasoning_tokens if details is None or details.reasoning_tokens is None else details.reasoning_tokens
        if not self.completion_tokens or (reasoning or 0) > self.completion_tokens:
            reasoning = None
        named = {
            "prompt_tokens": self.prompt_tokens or None,
            "completion_tokens": self.completion_tokens or None,
            "reasoning_tokens": reasoning,
        }
        return {name: count for name, count in named.items() if count is not None}


class Fault(Struct):
    """An error in place of a chunk."""

    message: str = "an error without a message"


class Chunk(Struct):
    """One event of a stream, or a whole reply."""

    id: str | int | None = None
    choices: list[Choice] | None = None
    usage: Usage | None = None
    error: Fault | str | None = None


class Served(Struct):
    """What a server says of a model in its list."""

    id: str
    max_model_len: Annotated[int, Meta(gt=0, le=2**53)] | None = None
    owned_by: str | None = None


Ended = Literal["stop", "length", "repetition", "filtered", "fault", "unknown"]
_REASONS: dict[Ended, tuple[str, ...]] = {
    "stop": ("stop", "eos", "eos_token", "end_turn", "stop_sequence", "end", "complete", "completed", "finished"),
    "length": ("length", "max_tokens", "model_length", "max_length", "max_output_tokens", "max_completion_tokens"),
    "repetition": ("repetition", "repetition_detected"),
    "filtered": ("content_filter", "refusal", "safety", "sensitive", "recitation", "prohibited_content", "blocklist"),
    "fault": ("abort", "aborted", "cancelled", "canceled", "error", "insufficient_system_resource", "server_error", "timeout"),
}
_KINDS: dict[str, Ended] = {word: kind for kind, words in _REASONS.items() for word in words}


def ended(finish_reason: str) -> Ended:
    """What a finish reason of any server means; `fault`: the server broke the reply off, and may be asked again."""
    return _KINDS.get(finish_reason.lower(), "unknown")


def joined(content: Content) -> str:
    """The text of all parts."""
    if isinstance(content, list):
        return "".join(part if isinstance(part, str) else part.whole for part in content)
    return content or ""
