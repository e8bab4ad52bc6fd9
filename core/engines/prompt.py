"""From a request to the tokens that the model sees, alike for every engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from .chat import render
from .text import TextDecoder
from .wire import Generate


class Vocabulary(Protocol):
    """A model's tokenizer. `special_tokens` are those that chat templates name: `bos_token`, `eos_token`."""

    @property
    def vocab_size(self) -> int:
        """How many ids there are."""
        ...

    @property
    def chat_template(self) -> str | None:
        """The Jinja template that came with the model, if any."""
        ...

    @property
    def special_tokens(self) -> Mapping[str, str]:
        """The texts of the tokens that templates name."""
        ...

    def tokenize(self, text: str, *, add_special: bool) -> list[int]:
        """Ids of `text`, in which markup is recognised; `add_special` adds what the model asks for (often BOS)."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, markup included."""
        ...

    def decoder(self, prefix: Sequence[int]) -> TextDecoder:
        """A decoder for one response that goes on after `prefix`."""
        ...


def tokens(request: Generate, vocabulary: Vocabulary) -> tuple[str, list[int]]:
    """The prompt as the model sees it, and its ids. Raises TemplateFailure.

    A rendered template is the whole prompt, as in transformers; raw text (and chat for a model without a template) gets
    the special tokens that the model asks for, unless it begins with BOS.
    """
    template = vocabulary.chat_template if request.chat else None
    if template is not None:
        prompt = render(template, request.prompt, vocabulary.special_tokens)
        return prompt, vocabulary.tokenize(prompt, add_special=False)
    bos = vocabulary.special_tokens.get("bos_token")
    opened = bool(bos) and request.prompt.startswith(str(bos))
    ids = vocabulary.tokenize(request.prompt, add_special=not opened)
    return vocabulary.decode(ids), ids
