"""Intervals against values worked out by hand and against what must hold of any interval."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.results.stats import wilson


def test_wilson_on_known_values() -> None:
    # Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    for hits, n, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        assert wilson(hits, n) == pytest.approx((low, high), abs=5e-5)
    assert wilson(0, 0) is None


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_lies_between_0_and_1_and_holds_the_share(counts: tuple[int, int]) -> None:
    interval = wilson(*counts)
    assert interval is not None
    low, high = interval
    share = counts[0] / counts[1]
    assert 0 <= low <= share <= high <= 1
    assert low < high
