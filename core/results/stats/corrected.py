"""The interval of a score that an audit of collapsed responses corrects."""

from __future__ import annotations

import math
from typing import Protocol

from core.results.stats.mean import Mean
from core.results.stats.shares import Interval


class AuditCounts(Protocol):
    """Counts of a run's finished responses; `core.results.run_summary.RunSummary` explains each."""

    @property
    def finished(self) -> int: ...  # noqa: D102
    @property
    def collapsed(self) -> int: ...  # noqa: D102
    @property
    def audited(self) -> int: ...  # noqa: D102
    @property
    def uncollapsed_credit(self) -> float: ...  # noqa: D102
    @property
    def audited_credit(self) -> float: ...  # noqa: D102


def corrected_interval(counts: AuditCounts, questions: int | None = None) -> Interval | None:
    """The 95 % interval of the score (0 to 1) that the model would have if no response were stopped; None without a response.

    It covers the score of the model, not only that of this run's responses, so it holds the chance in how many responses
    collapse. Where none was audited, the collapsed ones may all be wrong or all be right. `questions`: how many questions the
    responses are of, where that is less than one each; the interval is then as wide as if each question had been asked once.
    """
    if not counts.finished:
        return None
    scale = min(1.0, (questions or counts.finished) / counts.finished)
    n = counts.finished
    share = counts.collapsed / n
    credit = counts.uncollapsed_credit / n
    if counts.collapsed and not counts.audited:
        return Mean(credit, n * scale).interval()[0], Mean(min(1.0, credit + share), n * scale).interval()[1]
    if not counts.collapsed:
        return Mean(credit, n * scale).interval()
    inside = Mean(counts.audited_credit / counts.audited, counts.audited * scale)
    uncollapsed = n - counts.collapsed
    outside = Mean(counts.uncollapsed_credit / uncollapsed, uncollapsed * scale) if uncollapsed else inside
    below, above = [], []
    for weight, part in ((share, inside), (1 - share, outside)):
        low, high = part.interval()
        below.append(weight * (part.value - low))
        above.append(weight * (high - part.value))
    # A larger share of collapsed responses moves the score towards theirs.
    low, high = Mean(share, n * scale).interval()
    gap = inside.value - outside.value
    below.append(gap * (share - low) if gap > 0 else gap * (share - high))
    above.append(gap * (high - share) if gap > 0 else gap * (low - share))
    middle = (1 - share) * outside.value + share * inside.value
    return max(0.0, middle - math.hypot(*below)), min(1.0, middle + math.hypot(*above))
