"""A verbatim loop in a growing text, folded: its rounds are counted instead of shown."""

from __future__ import annotations

from os.path import commonprefix

from core.store.snapshot import Loop

KEPT = 100_000
"""Characters of text that are kept to compare with and to show again: far more than the longest period there is."""


class Fold:
    """Follows a text from its beginning; `enter` it at a loop, and `rest` tells what is new after it."""

    def __init__(self) -> None:
        self.length = 0
        self._tail = ""
        self._loop: Loop | None = None
        self._end = 0

    def read(self, text: str) -> None:
        """Text that is shown."""
        self.length += len(text)
        self._tail = (self._tail + text)[-KEPT:]

    def since(self, at: int) -> str | None:
        """The text from character `at` to the present; None where it is kept no longer."""
        back = self.length - at
        return self._tail[len(self._tail) - back :] if 0 <= back <= len(self._tail) else None

    def enter(self, loop: Loop) -> str:
        """This loop was seen at its position, which the text has reached. Returns what of the text came after the loop."""
        self._loop, self._end = loop, self.length
        back = self.since(loop.position - loop.period)
        if back is None or loop.rule != "verbatim":
            return ""
        more = back[loop.period :]
        self._end = loop.position + len(commonprefix([more, back]))  # noqa: RUF071 - by characters, as we want
        return more[self._end - loop.position :]

    @property
    def rounds(self) -> int:
        """Full rounds of the loop so far."""
        assert self._loop is not None
        return (self._end - self._loop.onset) // self._loop.period

    def rest(self, text: str) -> str:
        """What of `text` is not one more piece of the loop; empty while it goes on."""
        loop = self._loop
        if loop is None or loop.rule != "verbatim" or loop.period > len(self._tail):
            return text
        round_ = self._tail[-loop.period :]
        more = commonprefix([text, round_ * (len(text) // loop.period + 1)])  # noqa: RUF071 - by characters, as we want
        self._end += len(more)
        self.read(more)
        return text[len(more) :]
