"""Turns a request into a stream with its prompt in tokens, or refuses it."""

from __future__ import annotations

from ..host.engine import EngineFailure
from ..host.wire import Generate, Ready
from .facts import TemplateRefusal
from .prompt import Prompts, Vocabulary
from .stream import Stream
from .template import TemplateFailure

_REACH = 64  # tokens of a prefix in which a stop string may have begun


class Refused(Exception):
    """This request cannot run; the message says why. Other requests are unaffected."""


class Admission:
    """Opens streams over one vocabulary, with at most `context` tokens of prompt and answer each."""

    def __init__(self, vocabulary: Vocabulary, context: int) -> None:
        self._vocabulary, self._context = vocabulary, context
        self._prompts = Prompts(vocabulary)

    def ready(self, engine: str, version: str, slots: int, context: int) -> Ready:
        """What a host says of a loaded engine, with the marks of the model's thinking."""
        marks = self._prompts.marks
        if marks is None:
            return Ready(engine, version, slots, context)
        ids = tuple(self._vocabulary.tokenize(marks.closes, add_special=False))
        return Ready(engine, version, slots, context, marks.opens, marks.closes, ids)

    def open(self, request: Generate) -> Stream:
        """A stream that is not started yet. Raises Refused, and EngineFailure where the template fails or ignores an option."""
        try:
            prompt, ids = self._prompts.tokens(request)
            thinking = self._prompts.state(request)
        except TemplateRefusal as refusal:
            raise EngineFailure("usage", str(refusal), refusal.remedy) from refusal
        except TemplateFailure as failure:
            remedy = "Mend the template in the model, or ask with raw prompts (`chat = false` in a --prompts file)."
            raise EngineFailure("model", str(failure), remedy) from failure
        self._check(request, len(ids))
        before = self._vocabulary.decode(request.prefix[-_REACH:]) if request.sampling.stop else ""
        return Stream(request, prompt, ids, self._context, self._vocabulary.decoder(request.prefix), before, thinking)

    def _check(self, request: Generate, prompt_tokens: int) -> None:
        if prompt_tokens == 0:
            raise Refused("The prompt is empty, so the model has nothing to go on from. Give it some text.")
        if prompt_tokens >= self._context:
            raise Refused(
                f"The prompt has {prompt_tokens} tokens, and the context holds {self._context} with the answer. "
                "Raise the engine's context or shorten the prompt."
            )
        if not all(0 <= token < self._vocabulary.vocab_size for token in request.prefix):
            raise Refused("The stored tokens are not this model's: start the response again.")
