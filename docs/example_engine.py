"""An engine in full, to start a new one from: which byte follows which in a text file, learnt while it loads.

It batches by itself, one row of logits a stream and step, so it starts from `Batching`: requests that wait, join and are
cancelled, chat templates, the seed, stop strings, limits and resuming come with it. In `core/engines/` it would be one module,
and its options and its entry would stand in `core/engines/host/options.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .decode.batching import Batching
from .decode.text import ByteDecoder, TextDecoder
from .host.engine import EngineFailure
from .host.wire import Event, Ready

END = 256  # the token that ends a response: it follows a line's end as often as the file has an empty line


class Bytes:
    """A `prompt.Vocabulary` of the 256 bytes and `END`."""

    vocab_size = END + 1
    chat_template: str | None = "{{ messages[0].content }}\n"
    special_tokens: Mapping[str, str] = {}
    added_tokens: Iterable[str] = ()

    def tokenize(self, text: str, *, add_special: bool) -> list[int]:
        """See `prompt.Vocabulary`."""
        return list(text.encode())

    def decode(self, ids: Sequence[int]) -> str:
        """See `prompt.Vocabulary`."""
        return bytes(token for token in ids if token < END).decode("utf-8", "replace")

    def decoder(self, prefix: Sequence[int]) -> TextDecoder:
        """See `prompt.Vocabulary`."""
        return ByteDecoder(lambda token: bytes([token]))


class Bigrams(Batching):
    """See `engine.Engine`."""

    def probe(self) -> tuple[str, str]:
        """Version, and a sentence about its devices."""
        return "1", "numpy on the CPU"

    def load(self, model: str, options: Mapping[str, Any]) -> Ready:
        """Count what follows what. Raises EngineFailure with what a user can do."""
        try:
            text = Path(model).read_bytes()
        except OSError as error:
            raise EngineFailure("model", f"{model}: {error.strerror}", "Name a text file.") from error
        counts = np.full((END, END + 1), 1e-6, dtype=np.float32)
        np.add.at(counts, (np.frombuffer(text[:-1], np.uint8), np.frombuffer(text[1:], np.uint8)), 1.0)
        counts[ord("\n"), END] = text.count(b"\n\n")
        self._logits = np.log(counts)
        return self._open("bigrams", "1", Bytes(), int(options.get("slots", 8)), int(options.get("context", 4096)))

    def step(self) -> Iterable[Event]:
        """One token for every stream: its last one decides what may come next."""
        self._streams = [stream for stream in self._streams if not stream.finished]
        yield from self._admit()
        for stream in self._streams:
            yield from stream.advance(self._logits[stream.ids[-1]], frozenset({END}))
