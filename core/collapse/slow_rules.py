"""The two rules that are too slow for every unit: loops under noise, and counters that run on.

Both are applied at fixed places of the output only, so that a verdict does not depend on how the stream is cut.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from rapidfuzz.distance import LCSseq

from core.collapse.grams import usual_lag
from core.collapse.units import NUMBERS, numbers_apart
from core.collapse.windows import Windows

NOISE_GRAM = 6  # units; three in four survive a noise of 5 %
ALIKE = 0.86
NUMBERS_ALIKE = 0.6
SOME_NUMBERS = 16  # fewer are no evidence
HISTORY = 4  # near windows over which the period of a noisy loop is looked for
STEADY = 0.95  # share of the numbers that go on by the same step


def noisy_lag(units: array[int], windows: Windows) -> tuple[int, float]:
    """The lag in units of a loop under noise (0: none), and the likeness of the last window to those before it.

    Likeness (0 to 1) is the longest common subsequence of the last window and the stretch that lies the least multiple of
    the lag before it without touching it, or the one as far before that: the smaller of both.
    At 5 % noise in each round 0.9 is left; real healthy outputs reach 0.63 (`tests/speed/collapse.py`). The numbers must be
    alike too, since those of a table are not.
    """
    size = windows.noise
    lag = usual_lag(units[-HISTORY * size :], size, NOISE_GRAM)
    back = -(-size // lag) * lag if lag else 0
    ends = (len(units) - back, len(units) - 2 * back)
    if not lag or ends[1] < size:
        return 0, 0.0
    last = units[-size:].tolist()
    before = [units[end - size : end].tolist() for end in ends]
    likeness = min(LCSseq.similarity(last, some) for some in before) / size
    same = likeness >= ALIKE and all(_numbers_alike(last, some) for some in before)
    return (lag if same else 0), likeness


def _numbers_alike(last: Sequence[int], before: Sequence[int]) -> bool:
    ours, theirs = ([code for code in some if code < NUMBERS] for some in (last, before))
    return len(ours) < SOME_NUMBERS or LCSseq.similarity(ours, theirs) >= NUMBERS_ALIKE * len(ours)


def counter_lag(units: array[int], windows: Windows) -> int:
    """The period in units of a stretch in which only numbers change, each by a constant step; 0 where there is none.

    Tables and enumerations have the same form row after row too, but their numbers do not run on evenly for so long.
    """
    recent = units[-windows.count :]
    if len(recent) < windows.count or _words(recent) != _words(recent[-windows.count // 4 :]):
        return 0
    skeleton, values = numbers_apart(recent)
    lag = _period(skeleton)
    if not lag or not _steady(skeleton, values, lag):
        return 0
    return round(lag * len(recent) / len(skeleton))


def _words(units: array[int]) -> set[int]:
    return {code for code in set(units) if code >= NUMBERS}


def _period(skeleton: Sequence[int]) -> int:
    """The smallest lag up to an eighth of the stretch by which it equals itself, its first round aside; else 0."""
    for lag in range(1, len(skeleton) // 8):
        if skeleton[-1] == skeleton[-1 - lag] and skeleton[lag:] == skeleton[:-lag]:
            return lag
    return 0


def _steady(skeleton: Sequence[int], values: Sequence[int], lag: int) -> bool:
    places = [i for i in range(2 * lag, len(skeleton)) if skeleton[i] == 0]
    even = sum(values[i] - values[i - lag] == values[i - lag] - values[i - 2 * lag] for i in places)
    return bool(places) and even >= STEADY * len(places)
