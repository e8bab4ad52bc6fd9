"""Tokens to text, incrementally: ids are buffered until they decode to whole characters."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from typing import Protocol

Piece = tuple[str, tuple[int, ...]]


class TextDecoder(Protocol):
    """Turns the tokens of one response into pieces (text, ids) where the text is exactly what the ids decode to."""

    def push(self, token: int) -> Piece | None:
        """Add a token. Returns the piece that is complete now, or None."""
        ...

    def flush(self) -> Piece | None:
        """The buffered rest, or None; bytes of an unfinished character become U+FFFD."""
        ...


class ByteDecoder:
    """Decoder for engines that know the bytes of every token."""

    def __init__(self, piece: Callable[[int], bytes]) -> None:
        self._piece = piece
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._ids: list[int] = []

    def push(self, token: int) -> Piece | None:
        """See `TextDecoder`."""
        self._ids.append(token)
        self._text += self._utf8.decode(self._piece(token))
        return None if self._utf8.getstate()[0] else self._take()

    def flush(self) -> Piece | None:
        """See `TextDecoder`."""
        self._text += self._utf8.decode(b"", final=True)
        return self._take() if self._ids else None

    def _take(self) -> Piece:
        piece = self._text, tuple(self._ids)
        self._text, self._ids = "", []
        return piece


class WindowDecoder:
    """Decoder for tokenizers that only decode lists of ids: decodes a short window with and without the new tokens.

    The window reaches back to the tokens before the last piece, because some tokenizers (SentencePiece) decode a token
    differently at the start. `decode` must keep special tokens. `before` are the tokens that precede the first.
    """

    _CONTEXT = 8  # tokens before the buffered ones that are decoded with them
    _PATIENCE = 8  # tokens; a run of undecodable bytes longer than this is text of replacement characters
    _MAX_BUFFERED = 64  # tokens; each may end one character and begin the next, so that no cut is possible before

    def __init__(self, decode: Callable[[Sequence[int]], str], before: Sequence[int] = ()) -> None:
        self._decode = decode
        self._before = list(before)[-self._CONTEXT :]
        self._ids: list[int] = []

    def push(self, token: int) -> Piece | None:
        """See `TextDecoder`."""
        self._ids.append(token)
        text = self._text(len(self._ids))
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            return self._take(len(self._ids), text)
        if len(self._ids) < self._PATIENCE:
            return None
        # The last character may still become complete, so it stays buffered with its tokens.
        for count in range(len(self._ids) - 1, 0, -1):
            complete = self._text(count)
            if len(complete) < len(text) and text.startswith(complete):
                return self._take(count, complete)
        return self._take(len(self._ids), text) if len(self._ids) >= self._MAX_BUFFERED else None

    def flush(self) -> Piece | None:
        """See `TextDecoder`."""
        count = len(self._ids)
        return self._take(count, self._text(count)) if count else None

    def _text(self, count: int) -> str:
        """The text of the first `count` buffered ids."""
        return self._decode(self._before + self._ids[:count])[len(self._decode(self._before)) :]

    def _take(self, count: int, text: str) -> Piece:
        piece = text, tuple(self._ids[:count])
        self._before = (self._before + self._ids[:count])[-self._CONTEXT :]
        self._ids = self._ids[count:]
        return piece
