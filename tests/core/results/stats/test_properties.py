"""What must hold of any interval, for any scores: hypothesis looks for scores for which it does not."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.results.stats import (
    Mean,
    corrected_interval,
    holm,
    inflation,
    mean_interval,
    mean_of,
    mover,
    paired,
    recovery,
    unpaired,
)
from tests.simulation.measures import average_bounds

NEAR = 1e-9
SCORE = st.one_of(st.sampled_from([0.0, 1 / 3, 0.5, 2 / 3, 1.0]), st.floats(0, 1))
SCORES = st.lists(SCORE, min_size=1, max_size=40)
DIFFERENCES = st.lists(st.one_of(st.sampled_from([-1.0, -0.5, 0.0, 0.1, 1.0]), st.floats(-1, 1)), min_size=1, max_size=40)
MEANS = st.builds(Mean, SCORE, st.floats(1, 3_000))
SAMPLES = st.integers(1, 10)


@st.composite
def sampled(draw: st.DrawFn) -> tuple[list[float], list[int]]:
    """Yes-or-no scores with up to ten samples a question."""
    samples = draw(st.lists(SAMPLES, min_size=1, max_size=40))
    return [draw(st.integers(0, count)) / count for count in samples], samples


@given(st.one_of(sampled(), SCORES.map(lambda scores: (scores, [1] * len(scores)))))
def test_the_interval_of_a_mean(scores: tuple[list[float], list[int]]) -> None:
    means, samples = scores
    interval, mean = mean_interval(means, samples), mean_of(means, samples)
    assert 0 <= interval[0] <= mean.value <= interval[1] <= 1
    assert interval[1] - interval[0] > 1e-6
    assert mean.value == pytest.approx(np.mean(means))
    assert mean.trials >= len(means) - NEAR
    mirrored = mean_interval([1 - mean for mean in means], samples)
    assert mirrored == pytest.approx((1 - interval[1], 1 - interval[0]), abs=1e-6)
    assert mean_interval(means[::-1], samples[::-1]) == pytest.approx(interval, abs=1e-9)


@given(st.integers(1, 400), st.data())
def test_more_hits_move_both_bounds_up_and_more_questions_narrow(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n - 1))
    fewer, more = (mean_interval([1] * count + [0] * (n - count), [1] * n) for count in (hits, hits + 1))
    assert fewer[0] <= more[0] and fewer[1] <= more[1] and fewer != more
    twice = mean_interval(([1] * hits + [0] * (n - hits)) * 2, [1] * 2 * n)
    assert twice[1] - twice[0] < fewer[1] - fewer[0]


@given(sampled())
def test_equal_samples_are_worth_no_more_than_one(scores: tuple[list[float], list[int]]) -> None:
    """Questions that are all right or all wrong: ten samples of each say what one says."""
    answers = [float(round(mean)) for mean in scores[0]]
    assert mean_interval(answers, [10] * len(answers)) == mean_interval(answers, [1] * len(answers))


@given(st.lists(SCORES, min_size=1, max_size=4))
def test_the_interval_of_an_average(benchmarks: list[list[float]]) -> None:
    def averaged(scores: list[list[float]]) -> tuple[float, float]:
        ones = [(float(np.mean(part)), mean_interval(part, [1] * len(part)), 1 / len(scores)) for part in scores]
        low, high = mover(ones)
        return max(0.0, low), min(1.0, high)

    interval, middle = averaged(benchmarks), np.mean([np.mean(scores) for scores in benchmarks])
    assert 0 <= interval[0] <= middle + NEAR and middle - NEAR <= interval[1] <= 1
    assert interval[1] - interval[0] > 1e-6
    mirrored = averaged([[1 - score for score in scores] for scores in benchmarks])
    assert mirrored == pytest.approx((1 - interval[1], 1 - interval[0]), abs=1e-6)
    first = benchmarks[0]
    assert averaged([first]) == pytest.approx(mean_interval(first, [1] * len(first)), abs=1e-9)
    trials = [mean_of(scores, [1] * len(scores)) for scores in benchmarks]
    simulated = average_bounds([(np.array([mean.value]), np.array([mean.trials])) for mean in trials])
    assert (float(simulated[0][0]), float(simulated[1][0])) == pytest.approx(interval, abs=1e-9)


@given(DIFFERENCES)
def test_paired_interval_and_p_agree(differences: list[float]) -> None:
    result = paired(differences)
    assert 0 <= result.p <= 1
    assert -1 <= result.low <= result.difference <= result.high <= 1 and result.low < result.high
    assert (result.low > 0 or result.high < 0) == (result.p < 0.05)
    mirrored = paired([-difference for difference in differences])
    assert mirrored.p == pytest.approx(result.p)
    assert (mirrored.low, mirrored.high) == pytest.approx((-result.high, -result.low), abs=1e-9)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 200))
def test_a_paired_difference_moves_with_the_questions(better: int, worse: int, equal: int) -> None:
    one, more = (paired([1.0] * up + [-1.0] * worse + [0.0] * (equal + 1 - (up - better))) for up in (better, better + 1))
    assert one.low <= more.low + NEAR and one.high <= more.high + NEAR


@given(MEANS, MEANS)
def test_unpaired_interval_and_p_agree(one: Mean, other: Mean) -> None:
    result, mirrored = unpaired(one, other), unpaired(other, one)
    assert 0 <= result.p <= 1 and -1 <= result.low <= result.difference <= result.high <= 1
    assert result.low < result.high
    assert (result.low > 0 or result.high < 0) == (result.p < 0.05)
    assert mirrored.p == pytest.approx(result.p, rel=1e-4)
    assert (mirrored.low, mirrored.high) == pytest.approx((-result.high, -result.low), abs=1e-9)


@given(st.integers(1, 300), st.data())
def test_the_interval_of_a_corrected_score(finished: int, data: st.DataObject) -> None:
    collapsed = data.draw(st.integers(0, finished))
    audited = data.draw(st.integers(0, collapsed))
    right, audited_right = data.draw(st.integers(0, finished - collapsed)), data.draw(st.integers(0, audited))
    counts = SimpleNamespace(
        finished=finished,
        collapsed=collapsed,
        audited=audited,
        uncollapsed_credit=float(right),
        audited_credit=float(audited_right),
    )
    interval, fewer = corrected_interval(counts), corrected_interval(counts, max(1, finished // 4))
    assert interval is not None and fewer is not None
    assert 0 <= interval[0] < interval[1] <= 1
    assert fewer[1] - fewer[0] >= interval[1] - interval[0] - NEAR
    rates = [audited_right / audited] if audited else [0.0, 1.0]
    for rate in rates if collapsed else [0.0]:
        assert interval[0] - NEAR <= (right + collapsed * rate) / finished <= interval[1] + NEAR


@given(st.lists(st.tuples(SCORE, SCORE), min_size=1, max_size=40), SAMPLES)
def test_recovery_holds_1_where_the_difference_is_not_significant(scores: list[tuple[float, float]], samples: int) -> None:
    compressed, dense = [pair[0] for pair in scores], [pair[1] for pair in scores]
    result, difference = recovery(compressed, dense, [samples] * len(dense)), paired(np.subtract(compressed, dense))
    assume(result is not None)
    assert result is not None
    low, high = result.interval
    assert 0 <= low <= result.ratio <= high < math.inf and low < high
    assert 0 <= result.floor[0] <= 1 <= result.floor[1] and result.floor[0] < result.floor[1]
    if len(scores) > 1 and abs(difference.p - 0.05) > 1e-6:
        assert (low <= 1 <= high) == (difference.p > 0.05)


@given(st.lists(st.tuples(st.floats(1, 30_000), st.floats(1, 30_000)), min_size=2, max_size=40))
def test_inflation(tokens: list[tuple[float, float]]) -> None:
    over, under = [pair[0] for pair in tokens], [pair[1] for pair in tokens]
    result, mirrored = inflation(over, under), inflation(under, over)
    assert result is not None and mirrored is not None and result.interval is not None and mirrored.interval is not None
    assert result.interval[0] < result.ratio < result.interval[1]
    assert mirrored.ratio * result.ratio == pytest.approx(1)
    assert mirrored.interval == pytest.approx((1 / result.interval[1], 1 / result.interval[0]))


@given(st.lists(st.floats(0, 1), max_size=30))
def test_adjusted_p_values_are_no_smaller_and_keep_their_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    assert [q for _, q in sorted(zip(p_values, adjusted, strict=True))] == sorted(adjusted)
