"""How much text each rule needs for a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass

FULL = 1024
ONCE_SHARE = 0.95
TWICE_SHARE = 0.9
SHORTEST_COUNT = 1024  # units; people count to three hundred, and list fifty things


@dataclass(frozen=True, slots=True)
class Windows:
    """Lengths in units, for a run's token limit: all of them in full from 4,096 tokens on.

    `verbatim`: the shortest exact repetition that counts. `near`: the last stretch, of which `once` must end n-grams that
    have come before, or `twice` such that have come twice. `gram`: units of an n-gram. `noise`: each of the three
    stretches that a noisy loop must fill. `count`: the stretch over which a counter must have run. `check`: units between
    two slow checks.
    """

    verbatim: int
    near: int
    once: int
    twice: int
    gram: int
    noise: int
    count: int
    check: int

    @classmethod
    def of(cls, limit_tokens: int) -> Windows:
        """The windows for a limit: at 1,024 tokens a sixth, three eighths and three quarters of it, with grams of 8."""
        near = min(FULL, max(128, limit_tokens * 3 // 8))
        return cls(
            verbatim=min(256, max(64, limit_tokens // 6)),
            near=near,
            # A short answer may well restate its reasoning once: only the full stretch is too long for that.
            once=math.ceil(ONCE_SHARE * near) if near == FULL else near + 1,
            twice=math.ceil(TWICE_SHARE * near),
            gram=min(16, max(8, limit_tokens // 256)),
            noise=min(FULL, max(256, limit_tokens // 4)),
            count=max(SHORTEST_COUNT, 2 * near),
            check=near // 4,
        )
