"""Whether an engine makes progress: judged by tokens, since a hung engine can still answer that it is healthy."""

from __future__ import annotations

import time

from core.engines.host import wire

FLAG_S = 45.0
"""Seconds without progress after which users are warned, long before the engine is restarted."""


class Watchdog:
    """Tracks when the engine last made progress, and how long it may take until the next token.

    Prefill can be slow: while a response waits for its first token the limit is `prefill_s`, unless the engine reports its
    prefill as progress. Loading the model is not watched.
    """

    def __init__(self, silence_s: float, prefill_s: float, ready: wire.Ready) -> None:
        self._silence_s = silence_s
        self._prefill_s = silence_s if ready.prefills else max(silence_s, prefill_s)
        self._prefilling: set[str] = set()
        self._last_progress = time.monotonic()
        self._flagged = False

    def note(self, event: wire.Event) -> None:
        """Record an event of the engine; every one is progress."""
        self.reset()
        match event:
            case wire.Started(key):
                self._prefilling.add(key)
            case wire.Deltas(items):
                self._prefilling.difference_update(item.id for item in items)
            case wire.Finished(key):
                self._prefilling.discard(key)

    def reset(self) -> None:
        """Restart the clock, as at every sign of progress and while the engine has nothing to do."""
        self._last_progress, self._flagged = time.monotonic(), False

    def newly_quiet(self) -> float | None:
        """The limit in seconds, once per stall, when `FLAG_S` have passed without progress; else None."""
        if self._flagged or time.monotonic() - self._last_progress < FLAG_S:
            return None
        self._flagged = True
        return self._limit

    def overdue(self) -> float | None:
        """The limit in seconds that has passed without progress, or None."""
        return self._limit if time.monotonic() - self._last_progress > self._limit else None

    @property
    def _limit(self) -> float:
        return self._prefill_s if self._prefilling else self._silence_s
