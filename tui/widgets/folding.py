"""Folding of a verbatim loop in a growing text: its rounds are counted instead of shown."""

from __future__ import annotations

from os.path import commonprefix

from core.store.snapshot import Loop

TAIL = 100_000
"""Characters of text that are kept to compare with and to show again: far more than the longest period of a loop."""


class Fold:
    """Follows a text from its beginning: `read` text outside a loop, `enter` a loop, and let `rest` consume its rounds."""

    def __init__(self) -> None:
        self.length = 0
        self._tail = ""
        self._loop: Loop | None = None
        self._end = 0

    def read(self, text: str) -> None:
        """Take in text that is shown."""
        self.length += len(text)
        self._tail = (self._tail + text)[-TAIL:]

    def since(self, at: int) -> str | None:
        """The text from character `at` on; None where it is no longer kept."""
        back = self.length - at
        return self._tail[len(self._tail) - back :] if 0 <= back <= len(self._tail) else None

    def enter(self, loop: Loop) -> str:
        """Start to fold at this loop, whose position the text has reached. Returns the text after the loop, if it has ended."""
        self._loop, self._end = loop, self.length
        back = self.since(loop.position - loop.period)
        if back is None or loop.rule != "verbatim":
            return ""
        more = back[loop.period :]
        self._end = loop.position + len(commonprefix([more, back]))  # noqa: RUF071 - any common characters, no path
        return more[self._end - loop.position :]

    @property
    def rounds(self) -> int:
        """Full rounds of the loop so far."""
        assert self._loop is not None
        return (self._end - self._loop.onset) // self._loop.period

    def rest(self, text: str) -> str:
        """Consume more of the loop from `text`. Returns the text after the loop; empty while it continues."""
        loop = self._loop
        if loop is None or loop.rule != "verbatim" or loop.period > len(self._tail):
            return text
        round_ = self._tail[-loop.period :]
        more = commonprefix([text, round_ * (len(text) // loop.period + 1)])  # noqa: RUF071 - any common characters, no path
        self._end += len(more)
        self.read(more)
        return text[len(more) :]
