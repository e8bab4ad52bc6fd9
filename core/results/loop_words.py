"""A repetition loop measured in words: its start, its period, and the words it would have added up to the token limit."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.parts import words


@dataclass(frozen=True, slots=True)
class Looped:
    """The row of a finished response that collapsed or was stopped for repetition.

    `words` and `tokens` count the whole output; `onset` and `period` of the loop are in characters of `text`.
    """

    stopped: bool
    words: int
    tokens: int
    token_limit: int | None
    onset: int | None
    period: int | None
    count: int | None
    text: str | None

    @property
    def tokens_ahead(self) -> int:
        """Tokens up to the limit for a response that was stopped for repetition; 0 for any other."""
        return max(0, self.token_limit - self.tokens) if self.stopped and self.token_limit is not None else 0

    @property
    def words_ahead(self) -> float:
        """How many words a stopped response would have added up to its token limit: the tokens left, times the words per
        token of its loop.

        The loop's words per character are counted; its tokens per character are taken from the whole output, because tokens
        are stored for that only.
        """
        if not self.tokens_ahead or not self.tokens:
            return 0.0
        density = self._words_per_character
        per_token = self.words / self.tokens if density is None else density * len(self.text or "") / self.tokens
        return self.tokens_ahead * per_token

    @property
    def onset_words(self) -> int | None:
        """Words before the loop; None where it is not known."""
        return None if self._words_per_character is None else words((self.text or "")[: self.onset])

    @property
    def period_words(self) -> float | None:
        """Words of one period of the loop; None where it is not known."""
        density = self._words_per_character
        return None if density is None or self.period is None else density * self.period

    @property
    def _words_per_character(self) -> float | None:
        """Words per character in the loop; None where it is not known."""
        if self.text is None or self.onset is None or self.period is None:
            return None
        stretch = self.text[self.onset : self.onset + max(1, self.count or 1) * self.period]
        return words(stretch) / len(stretch) if stretch else None
