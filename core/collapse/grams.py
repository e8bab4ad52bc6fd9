"""Repeated n-grams of an output: in constant memory while it streams, and exactly over a short stretch."""

from __future__ import annotations

from array import array
from collections import Counter


class Grams:
    """The last position and count of each n-gram: a hash table of fixed size with two entries per set.

    An entry holds 32 bits of hash, 2 bits of count and 30 bits of index plus one; a full set loses its older entry.
    """

    def __init__(self, entries: int) -> None:
        self._sets = 1 << max(6, (entries - 1).bit_length() - 1)
        self._shift = 33 - self._sets.bit_length()
        self._entries = array("Q", bytes(16 * self._sets))

    def meet(self, gram: int, index: int) -> tuple[int, int]:
        """Record a gram that ends at `index`; return where it ended last (-1: never) and how often it came (to 3)."""
        entries = self._entries
        slot = (gram >> self._shift) * 2
        known = entries[slot]
        if known >> 32 != gram:
            known, entries[slot + 1] = entries[slot + 1], known
            if known >> 32 != gram:
                known = 0
        times = known >> 30 & 3
        entries[slot] = gram << 32 | (times + (times < 3)) << 30 | index + 1
        return (known & 0x3FFFFFFF) - 1, times


def usual_lag(units: array[int], window: int, size: int) -> int:
    """The commonest distance between an n-gram of the last `window` units and its last occurrence; 0 where none recurs.

    Distances that differ by one count together, since a word more or less moves all that follows.
    """
    last: dict[bytes, int] = {}
    lags: Counter[int] = Counter()
    for index in range(size, len(units) + 1):
        gram = units[index - size : index].tobytes()
        if index > len(units) - window and gram in last:
            lags[index - last[gram]] += 1
        last[gram] = index
    if not lags:
        return 0
    return max(lags, key=lambda lag: (lags[lag - 1] + 2 * lags[lag] + lags[lag + 1], -lag))
