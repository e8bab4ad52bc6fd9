"""The intervals and tests beside those of scipy and statsmodels, and values worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import beta, ttest_1samp
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

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


def answers(hits: int, n: int) -> tuple[list[int], list[int]]:
    return [1] * hits + [0] * (n - hits), [1] * n


@pytest.mark.parametrize("n", [30, 100, 203, 250])
def test_one_sample_a_question_lies_between_clopper_pearson_and_jeffreys(n: int) -> None:
    for hits in range(n + 1):
        interval = mean_interval(*answers(hits, n))
        wide, narrow = (proportion_confint(hits, n, method=method) for method in ("beta", "jeffreys"))
        assert wide[0] - 1e-9 <= interval[0] <= max(0, narrow[0]) + 1e-9 or hits == 0
        assert min(1, narrow[1]) - 1e-9 <= interval[1] <= wide[1] + 1e-9 or hits == n
        if min(hits, n - hits) > 40:
            assert interval == pytest.approx(narrow, abs=1e-4)
        if hits in (0, n):
            assert interval == pytest.approx(tuple(np.nan_to_num(wide, nan=0.0)), abs=1e-9)


def test_a_mean_of_many_questions_is_near_the_t_interval() -> None:
    draws = np.random.default_rng(4)
    means = draws.binomial(5, draws.beta(2, 2, 400)) / 5
    interval = mean_interval(means, [5] * 400)
    assert interval == pytest.approx(tuple(ttest_1samp(means, 0).confidence_interval()), abs=2e-3)


def test_effective_trials_run_from_the_questions_to_the_samples() -> None:
    alike, unlike = mean_of([0.5, 0.4, 0.6] * 20, [10] * 60), mean_of([0.0, 1.0] * 30, [10] * 60)
    assert alike.trials == 600 and unlike.trials == 60
    assert mean_of([1, 0, 1], [3, 3, 3]).value == pytest.approx(2 / 3)


def test_the_average_of_printed_intervals_by_hand() -> None:
    # 0 of 30 and 30 of 30: Clopper-Pearson's 0 to 0.1157 and 0.8843 to 1; half the distances of 0 and 0.1157, of 0.1157 and 0.
    bound = beta.ppf(0.975, 1, 30) / 2
    parts = [(mean, mean_interval(*answers(right, 30)), 0.5) for mean, right in ((0.0, 0), (1.0, 30))]
    assert mover(parts) == pytest.approx((0.5 - bound, 0.5 + bound), abs=1e-9)


def test_the_paired_test_is_about_as_strict_as_mcnemars_exact_one() -> None:
    for better in range(41):
        for worse in range(41 - better):
            result = paired([1] * better + [-1] * worse + [0] * 60)
            exact = mcnemar([[0, better], [worse, 0]], exact=True).pvalue if better + worse else 1.0
            assert result.difference == pytest.approx((better - worse) / (better + worse + 60))
            if exact < 0.03:
                assert result.p < 0.05, (better, worse)
            if exact > 0.09:
                assert result.p > 0.05, (better, worse)


def test_the_paired_interval_of_many_questions_is_near_the_t_interval() -> None:
    differences = np.random.default_rng(5).normal(0.1, 0.3, 500).clip(-1, 1)
    result, yardstick = paired(differences), ttest_1samp(differences, 0)
    assert (result.low, result.high) == pytest.approx(tuple(yardstick.confidence_interval()), abs=3e-3)
    one = paired([1.0])
    assert (one.low, one.high) == (-1, 1) and one.p > 0.05


def test_equal_answers_are_no_proof_of_equal_models() -> None:
    result = paired([0.0] * 30)
    assert result.p == 1 and result.high == -result.low > 0.09


def test_the_unpaired_interval_is_near_newcombes() -> None:
    for one, other in [((56, 70), (48, 80)), ((120, 250), (90, 203)), ((25, 30), (100, 250))]:
        result = unpaired(Mean(one[0] / one[1], one[1]), Mean(other[0] / other[1], other[1]))
        yardstick = confint_proportions_2indep(*one, *other, method="newcomb")
        assert (result.low, result.high) == pytest.approx(yardstick, abs=0.012)
    assert unpaired(Mean(0.9, 250), Mean(0.1, 250)).p < 1e-9
    assert unpaired(Mean(0.5, 30), Mean(0.5, 250)).p == 1


def counts(finished: int, collapsed: int, audited: int, right: float, audited_right: float) -> SimpleNamespace:
    return SimpleNamespace(
        finished=finished, collapsed=collapsed, audited=audited, uncollapsed_credit=right, audited_credit=audited_right
    )


def test_a_corrected_score_by_hand() -> None:
    plain = mean_interval(*answers(60, 100))
    assert corrected_interval(counts(100, 0, 0, 60, 0)) == pytest.approx(plain)
    low, high = mean_interval(*answers(60, 100)), mean_interval(*answers(80, 100))
    assert corrected_interval(counts(100, 20, 0, 60, 0)) == pytest.approx((low[0], high[1]))
    assert corrected_interval(counts(0, 0, 0, 0, 0)) is None
    few, many = corrected_interval(counts(100, 40, 4, 30, 2)), corrected_interval(counts(100, 40, 40, 30, 20))
    assert few is not None and many is not None and few[0] < many[0] and many[1] < few[1]


def test_recovery_by_hand() -> None:
    same = recovery([1, 0] * 50, [1, 0] * 50, [1] * 100)
    assert same is not None and same.ratio == 1
    # 50 hits, equal answers: ratios r with 50^2 (r - 1)^2 <= 3.84 (50 (r - 1)^2 + 2.5 (1 - r + r^2)) reach about 1 +- 3.1 / 48.
    assert same.interval == pytest.approx((0.937, 1.067), abs=3e-3)
    # One sample a question: two runs of 50 of 100 differ by 1.96 sqrt(2 * 25) = 14 of 50.
    assert same.floor == pytest.approx((0.73, 1.27), abs=0.03)
    half = recovery([1, 0, 0, 0] * 50, [1, 0, 1, 0] * 50, [1] * 200)
    assert half is not None and half.ratio == 0.5 and half.interval[1] < 0.65
    assert recovery([1, 0, 0], [0, 0, 0], [1] * 3) is None
    assert recovery([1] * 3 + [0] * 97, [1] * 3 + [0] * 97, [1] * 100) is None  # three hits are within noise of none


def test_more_samples_lower_the_noise_floor() -> None:
    widths = []
    for samples in (3, 30):
        result = recovery([2 / 3] * 60, [2 / 3] * 60, [samples] * 60)
        assert result is not None
        widths.append(result.floor[1] - result.floor[0])
    assert widths[1] < widths[0] / 2


def test_inflation_by_hand() -> None:
    result = inflation([200, 100, 400], [100, 100, 100])
    assert result is not None and result.interval is not None
    yardstick = ttest_1samp(np.log([2, 1, 4]), 0).confidence_interval()
    assert result.ratio == pytest.approx(2)
    assert np.log(result.interval) == pytest.approx(tuple(yardstick), abs=1e-3)
    single = inflation([300], [100])
    assert single is not None and single.ratio == pytest.approx(3) and single.interval is None
    assert inflation([], []) is None


def test_holm_is_that_of_statsmodels() -> None:
    p_values = np.random.default_rng(6).random(20) ** 4
    assert holm(list(p_values)) == pytest.approx(list(multipletests(p_values, method="holm")[1]))
    assert holm([]) == []
