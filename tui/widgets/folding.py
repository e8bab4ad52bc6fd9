"""A verbatim loop in a growing text, folded: its rounds are counted instead of shown."""

from __future__ import annotations

from os.path import commonprefix

from core.store.snapshot import Loop

KEPT = 20_000
"""Characters of text that are kept to compare with: the longest period that can be folded."""


class Fold:
    """Follows a text from its beginning; `enter` it at a loop, and `rest` tells what is new after it."""

    def __init__(self) -> None:
        self.length = 0
        self._tail = ""
        self._loop: Loop | None = None
        self._hidden = 0

    def read(self, text: str) -> None:
        """Text that is shown."""
        self.length += len(text)
        self._tail = (self._tail + text)[-KEPT:]

    def enter(self, loop: Loop) -> None:
        """This loop was seen at its position, which the text has reached; what comes next may be more rounds of it."""
        self._loop, self._hidden = loop, self.length - loop.position

    @property
    def rounds(self) -> int:
        """Full rounds of the loop so far."""
        assert self._loop is not None
        return (self._loop.position - self._loop.onset + self._hidden) // self._loop.period

    def rest(self, text: str) -> str:
        """What of `text` is not one more piece of the loop; empty while it goes on."""
        loop = self._loop
        if loop is None or loop.rule != "verbatim" or loop.period > len(self._tail):
            return text
        round_ = self._tail[-loop.period :]
        more = commonprefix([text, round_ * (len(text) // loop.period + 1)])  # noqa: RUF071 - by characters, as we want
        self._hidden += len(more)
        self.read(more)
        return text[len(more) :]
