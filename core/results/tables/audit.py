"""What stopping at a repetition collapse costs, estimated from the collapsed responses that were let run on.

A random share of the collapsed responses runs on (policy `audit`; all of them under `observe`). Those of them that earn credit
in the end are what stopping loses, and their share corrects the score, in which every stopped response counts as wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from core.results.stats import Interval, corrected_interval, wilson
from core.results.stats.corrected import AuditCounts


class Counts(AuditCounts, Protocol):
    """What an audit needs besides: questions with a finished response, and responses that were stopped."""

    @property
    def n(self) -> int: ...  # noqa: D102
    @property
    def stopped(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Audit:
    """Counts of one run's finished responses, and shares from 0 to 1.

    `stopped` for repetition; `audited`: collapsed, but let run on; `lost`: those of them that earned credit (correct, or an
    exact match) in the end, which stopping would have lost. `corrected` is the score with the stopped ones credited at the
    audited rate; None where some were stopped and none audited.
    """

    stopped: int
    audited: int
    lost: int
    lost_interval: Interval | None
    corrected: float | None
    corrected_interval: Interval | None

    @classmethod
    def of(cls, counts: Counts) -> Audit:
        """The audit of a run that has at least one finished response."""
        stopped, m, n, lost = counts.stopped, counts.audited, counts.finished, int(counts.audited_credit)
        if stopped and not m:
            return cls(stopped, 0, 0, None, None, None)
        # A collapsed response that was not drawn says nothing, even where it ended before it could be stopped.
        credited = counts.uncollapsed_credit + (counts.collapsed * lost / m if m else 0.0)
        interval = corrected_interval(counts, counts.n)
        return cls(stopped, m, lost, wilson(lost, m), credited / n, interval)
