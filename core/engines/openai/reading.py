"""A reply as it comes in: its text with the boundary of its thinking, how it ended, and its usage."""

from __future__ import annotations

import json

import msgspec

from ..host.valid_text import valid_json
from ..host.wire import FinishReason
from ..thinking import THINK_END, in_text
from .replies import Choice, Chunk, Content, Fault, Part, ended, joined

_DONE = b"[DONE]"
_DECODER = msgspec.json.Decoder(Chunk)
REPEATED = 16
"""Characters from which a last chunk that says the whole answer once more is a repetition."""
MARK = 64
"""Characters in which the mark of any family that closes thinking fits."""


class Broken(Exception):
    """This try failed and may be retried; `after` is the pause that the server asks for, in seconds."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Malformed(Broken):
    """What came is not OpenAI's protocol; should it come again, it is the error of this response alone."""


class Reply:
    """Reads the chunks of one reply; afterwards `reason`, `usage`, `filtered` and `thinks` are known."""

    reason: FinishReason | None = None
    usage: dict[str, int] | None = None
    filtered = False
    done = False

    def __init__(self) -> None:
        self.thinks = self._answering = False
        self._tail = ""
        self._id: str | int | None = None
        self._answer: list[str] = []

    def read(self, events: list[bytes]) -> tuple[str, int]:
        """The new text in some chunks, and how many of them held any. Raises Broken, Malformed."""
        texts: list[str] = []
        pieces = 0
        for data in events:
            if data == _DONE:
                self.done = True
            elif found := self._read(_chunk(data)):
                texts += found
                pieces += 1
        return "".join(texts), pieces

    def _read(self, chunk: Chunk) -> list[str]:
        """The texts in a chunk; stores its finish reason and usage."""
        if chunk.error is not None:
            said = chunk.error.message if isinstance(chunk.error, Fault) else chunk.error
            raise Broken(f"the server ended the stream with an error: {said}")
        if chunk.usage is not None:
            self.usage = chunk.usage.counts or None
        if not chunk.choices:
            return []
        self._check(chunk, chunk.choices)
        choice = chunk.choices[0]
        texts = self._texts(choice)
        if choice.finish_reason:
            self._end(choice.finish_reason)
        return texts

    def _check(self, chunk: Chunk, choices: list[Choice]) -> None:
        """Raises Malformed where a stream mixes replies."""
        if len(choices) > 1 or choices[0].index:
            raise Malformed("it sends two answers, and one was asked for")
        if chunk.id and self._id and chunk.id != self._id:
            raise Malformed("it changes its id amid the stream, as if it were two")
        self._id = self._id or chunk.id

    def _end(self, reason: str) -> None:
        """Store how the reply ended. Raises Broken where the server broke it off, Malformed for a word that nobody knows."""
        kind = ended(reason)
        if kind == "fault":
            raise Broken(f"the server broke the reply off (finish reason {reason[:40]!r})")
        if kind == "unknown":
            raise Malformed(f"its finish reason {reason[:40]!r} says neither that it is whole nor that it was cut")
        self.filtered = kind == "filtered"
        self.reason = "stop" if kind == "filtered" else kind

    def _texts(self, choice: Choice) -> list[str]:
        message = choice.delta or choice.message
        if message is None:  # the completions of raw prompts
            return self._once([choice.text] if choice.text else [], choice)
        return self._once(self._joined(joined(message.reasoning_content) or joined(message.reasoning), message.content), choice)

    def _once(self, texts: list[str], choice: Choice) -> list[str]:
        """The texts, unless a last chunk says the whole answer once more, as some servers do where a reply is cut."""
        if choice.finish_reason and self._answer and texts:
            whole = "".join(self._answer)
            if len(whole) >= REPEATED and texts[-1] == whole:
                return []
        if self._answering or choice.text:
            self._answer += texts[-1:]
        return texts

    def _joined(self, reasoning: str, content: Content) -> list[str]:
        """The text of a delta, with `</think>` where the server goes over from reasoning to content.

        White space in the reasoning of a response that answers already is none: it would make its answer thinking. Reasoning
        that the model closed itself is not closed again.
        """
        if isinstance(content, list):  # parts of either kind, as Mistral's API sends them
            thinking = [part for part in content if isinstance(part, Part) and part.type == "thinking"]
            reasoning += joined([*thinking])
            content = joined([part for part in content if part not in thinking])
        texts = []
        if reasoning and (not self._answering or reasoning.strip()):
            self.thinks = True
            self._tail = (self._tail + reasoning)[-MARK:]
            texts.append(reasoning)
        if content:
            texts += [THINK_END, content] if self.thinks and not _closes(self._tail) else [content]
            self.thinks, self._answering = False, True
        return texts


def _closes(reasoning: str) -> bool:
    """Whether the reasoning ends with the mark that closes it."""
    text = reasoning.rstrip()
    return text.endswith((THINK_END, in_text(text).closes.strip()))


def _chunk(data: bytes) -> Chunk:
    """A chunk whose types and ranges are right. Raises Malformed naming the field that is not.

    Half surrogate pairs, which msgspec refuses and some servers send where they cut a character, become U+FFFD.
    """
    try:
        try:
            return _DECODER.decode(data)
        except msgspec.DecodeError as error:
            if "surrogate" not in str(error):
                raise
            return msgspec.convert(valid_json(json.loads(data)), Chunk)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise Malformed(f"what came is not OpenAI's protocol: {error}") from error
