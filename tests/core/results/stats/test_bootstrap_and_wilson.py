"""Intervals against values worked out by hand and against what must hold of any interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.results.stats import MANY, bootstrap_average, bootstrap_mean, wilson


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


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 50)), min_size=1, max_size=20))
def test_the_bootstrap_stays_within_the_values_and_repeats_itself(seen: list[tuple[float, int]]) -> None:
    values, counts = [v for v, _ in seen], [c for _, c in seen]
    interval = bootstrap_mean(values, counts)
    assert interval is not None and interval == bootstrap_mean(values, counts)
    assert min(values) - 1e-9 <= interval[0] <= interval[1] <= max(values) + 1e-9


def test_the_bootstrap_of_a_mean_is_near_the_normal_interval() -> None:
    # 400 values of mean 0.5 and standard deviation 0.5: the mean's error is 0.025, 1.96 of it 0.049.
    assert bootstrap_mean([0.0, 1.0], [200, 200]) == pytest.approx((0.451, 0.549), abs=0.006)
    # Drawing one by one gives the same, but for the noise of 2,000 draws.
    generator = np.random.default_rng(1)
    values = np.repeat([0.0, 0.4, 1.0], [30, 50, 20])
    means = generator.choice(values, (4_000, 100)).mean(axis=1)
    expected = np.quantile(means, [0.025, 0.975])
    assert bootstrap_mean([0.0, 0.4, 1.0], [30, 50, 20]) == pytest.approx(tuple(expected), abs=0.01)
    assert bootstrap_mean([], []) is None


def test_the_bootstrap_of_an_average_draws_each_part_by_itself() -> None:
    # Three shares of 0.5 with n 100 each: error of one 0.05, of their mean 0.05 / sqrt(3) = 0.0289.
    assert bootstrap_average([(50, 100)] * 3) == pytest.approx((0.5 - 0.0566, 0.5 + 0.0566), abs=0.006)
    assert bootstrap_average([(50, 100), (0, 0)]) is None
    assert bootstrap_average([]) is None


def test_of_many_values_the_interval_is_the_one_that_resampling_comes_close_to() -> None:
    draw = np.random.default_rng(3)
    values = draw.random(MANY + 1)
    resampled = np.quantile([draw.choice(values, len(values)).mean() for _ in range(2_000)], [0.025, 0.975])
    assert bootstrap_mean(values.tolist(), [1] * len(values)) == pytest.approx(tuple(resampled), abs=2e-3)
