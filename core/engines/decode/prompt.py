"""Turns a request into the prompt's tokens, the same way for every engine.

Markup in a user's turn is plain text: a `</think>` or `<|im_end|>` in it becomes its characters, never the special token.
Tokenizers have no option for this, so the turn is cut within each such name and the parts are tokenised separately.
Special tokens in raw prompts are recognised.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

from ..host.wire import Generate, TemplateOptions
from ..thinking import Marks, State, in_vocabulary
from .facts import Probe, TemplateFacts, facts_of, marks_of, without_template
from .template import Templates
from .text import TextDecoder

_CUT = "\ufdd0"  # Unicode keeps this code out of texts


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

    @property
    def added_tokens(self) -> Iterable[str]:
        """The texts that are recognised before all else is split: markup, in some models also words or white space."""
        ...

    def tokenize(self, text: str, *, add_special: bool) -> list[int]:
        """Ids of `text`, added tokens recognised; `add_special` adds what the model asks for (often BOS)."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, markup included."""
        ...

    def decoder(self, prefix: Sequence[int]) -> TextDecoder:
        """A decoder for one response that goes on after `prefix`."""
        ...


class Prompts:
    """Turns requests into tokens of one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._templates = Templates()
        self._facts: dict[str, TemplateFacts] = {}
        # Added tokens of letters, digits or white space alone are words and gaps, which a turn may hold as such.
        markup = [re.escape(text) for text in vocabulary.added_tokens if len(text) > 1 and re.search(r"[^\w\s]", text)]
        # It matches only the first character of markup, so that markup that overlaps is found too.
        self._markup = re.compile(f"(?={'|'.join(markup)}).", re.DOTALL) if markup else re.compile("(?!)")

    @cached_property
    def marks(self) -> Marks | None:
        """The marks around the model's thinking, by its template or its vocabulary; None where it knows none."""
        template, vocabulary = self._vocabulary.chat_template, self._vocabulary
        shown = None if template is None else marks_of(Probe(template, lambda turn, given: self._render(turn, given, None)))
        return shown or in_vocabulary(vocabulary.added_tokens)

    def facts(self, options: TemplateOptions, date: str | None = None) -> TemplateFacts:
        """What the template makes of a run's options. Raises TemplateRefusal and TemplateFailure."""
        key = json.dumps([options.thinking, options.effort, options.budget, dict(options.arguments), date])
        if key not in self._facts:
            self._facts[key] = self._looked_up(options, date)
        return self._facts[key]

    def _looked_up(self, options: TemplateOptions, date: str | None) -> TemplateFacts:
        template = self._vocabulary.chat_template
        if template is None:
            return without_template(options, self.marks)
        facts = facts_of(template, lambda turn, arguments: self._render(turn, arguments, date), options)
        if facts.marks is None and self.marks is not None:
            return replace(facts, marks=self.marks, state="left to the model")
        return facts

    def state(self, request: Generate) -> State | None:
        """Where the prompt of a request leaves the thinking; None for a raw prompt, which says so itself or not."""
        return self.facts(request.template_options, request.date).state if request.chat else None

    def _render(self, turn: str, arguments: Mapping[str, Any], date: str | None) -> str:
        assert self._vocabulary.chat_template is not None
        return self._templates.render(self._vocabulary.chat_template, turn, self._vocabulary.special_tokens, arguments, date)

    def close(self) -> None:
        """End the child that renders; a later prompt starts another one."""
        self._templates.close()

    def rendered(self, request: Generate) -> str | None:
        """The whole prompt of a chat request, with cuts in the user's markup; None where there is no template."""
        if not request.chat or self._vocabulary.chat_template is None:
            return None
        text = self._markup.sub(rf"\g<0>{_CUT}", request.prompt.replace(_CUT, "\N{REPLACEMENT CHARACTER}"))
        return self._render(text, self.facts(request.template_options, request.date).arguments, request.date)

    def text(self, request: Generate) -> str:
        """The prompt as the model sees it, but for what the tokenizer puts before raw text. Raises as `tokens` does."""
        rendered = self.rendered(request)
        return request.prompt if rendered is None else rendered.replace(_CUT, "")

    def tokens(self, request: Generate) -> tuple[str, list[int]]:
        """The prompt as the model sees it, and its ids. Raises TemplateRefusal and TemplateFailure.

        A rendered template is the whole prompt, as in transformers; raw text (and chat for a model without a template)
        gets the special tokens that the model asks for, unless it begins with BOS.
        """
        vocabulary, rendered = self._vocabulary, self.rendered(request)
        if rendered is not None:
            return rendered.replace(_CUT, ""), self._tokenize(rendered, add_special=False)
        text = request.prompt.replace(_CUT, "\N{REPLACEMENT CHARACTER}")
        if request.chat:
            text = self._markup.sub(rf"\g<0>{_CUT}", text)
        bos = vocabulary.special_tokens.get("bos_token")
        ids = self._tokenize(text, add_special=not (bos and text.startswith(bos)))
        return vocabulary.decode(ids), ids

    def _tokenize(self, text: str, *, add_special: bool) -> list[int]:
        """Ids of the parts between cuts. A SentencePiece model reads a space before each; byte-level BPE reads none."""
        first, *others = text.split(_CUT)
        ids = self._vocabulary.tokenize(first, add_special=add_special)
        for part in others:
            ids += self._vocabulary.tokenize(part, add_special=False)
        return ids
