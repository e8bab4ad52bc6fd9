"""Whether a looping output came back from its loop before it ended."""

from __future__ import annotations

from core.collapse import Detector
from core.engines.thinking import first_close

TAIL = 16_000
"""Characters at the end of an output that must still loop for the loop to count as unended."""


def ends_in_loop(output: str, position: int | None, period: int | None) -> bool:
    """Whether an output that collapsed at `position`, with rounds of `period` characters, still loops where it ends.

    What follows a closing mark is looked at alone.
    """
    rest = output[position or 0 :]
    while (close := first_close(rest)) is not None:
        rest = rest[close[1] :]
        output = rest
    tail = Detector()
    tail.feed(output[-max(TAIL, 4 * (period or 0)) :])
    tail.finish()
    return tail.verdict.state == "collapsed"
