"""What a server may send in a chunk of its stream: types and ranges, checked as they come in."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, le=2**53)]
"""A number of tokens; more than any model has read is no such number."""


class _Read(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Part(_Read):
    """A part of a text, which may hold parts again, as Mistral's API sends them."""

    type: str = "text"
    text: Content = None
    thinking: Content = None

    @property
    def whole(self) -> str:
        """Its text with that of its parts."""
        return joined(self.thinking) or joined(self.text)


Content = str | list[Part | str] | None


class Delta(_Read):
    """What is new of a message."""

    content: Content = None
    reasoning_content: Content = None
    reasoning: Content = None


class Choice(_Read):
    """One of the answers: a delta of a chat, or the text of a raw prompt."""

    finish_reason: str | None = None
    delta: Delta | None = None
    text: str | None = None


class Details(_Read):
    """What the completion's tokens were."""

    reasoning_tokens: Count | None = None


class Usage(_Read):
    """The tokens that the server counted."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    completion_tokens_details: Details | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The counts that it says."""
        details = self.completion_tokens_details
        reasoning = self.reasoning_tokens if details is None or details.reasoning_tokens is None else details.reasoning_tokens
        named = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "reasoning_tokens": reasoning,
        }
        return {name: count for name, count in named.items() if count is not None}


class Chunk(_Read):
    """One event of a stream."""

    choices: list[Choice] | None = None
    usage: Usage | None = None


class Served(_Read):
    """What a server says of a model in its list."""

    id: str
    max_model_len: Annotated[int, Field(gt=0, le=2**53)] | None = None
    owned_by: str | None = None


def joined(content: Content) -> str:
    """The text of all parts."""
    if isinstance(content, list):
        return "".join(part if isinstance(part, str) else part.whole for part in content)
    return content or ""


Part.model_rebuild()
