"""One's own scores beside printed ones: where nothing differs, at most 5 % of the marks may say that something does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from benchmarks.registry import of
from core import cli
from core.results.tables import published
from core.results.tables.differences import Asked, lengths_with_differences, noise, with_differences
from core.results.tables.lengths import ends, lengths_rows
from core.results.tables.printed import PrintedLengths
from core.results.tables.published import tables
from core.results.tables.scores import scores_rows
from tests.helpers.book import Book, graded

QUESTIONS = (30, 203, 250, 100)
SAMPLES = (1, 3, 10)
DRAWS = 4_000
DESIGNS = [
    *((n * samples, n) for n in QUESTIONS for samples in SAMPLES),
    *(
        (math.floor(q * n / 100) * samples, math.floor(q * n / 100))
        for q in (30, 20)
        for n in (30, 203, 100)
        for samples in SAMPLES
    ),
    *((part, n) for n in QUESTIONS for part in (1, 5, n // 4)),
    *((n, n * 3) for n in QUESTIONS),
]
"""(own draws, printed draws): whole benchmarks, both ends of Tables 4 and 5, parts of a benchmark, and three printed passes."""
RATES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.4, 0.5, 0.62, 0.8, 0.9, 0.96, 0.985, 0.99, 0.998)


def chances(n: int, rate: float) -> np.ndarray:
    """The chance of each number of hits among n, [n + 1]."""
    logs = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(n + 1)]
    hits = np.arange(n + 1)
    return np.exp(np.array(logs) + hits * math.log(rate) + (n - hits) * math.log1p(-rate))


def holds(own: tuple[float, float], printed: tuple[float, float]) -> bool:
    """Whether a difference of 0 lies within noise; scores run from 0 to 1."""
    low, high = noise(own, printed)
    return low <= 0 <= high


def within(m: int, n: int) -> Iterator[tuple[int, int]]:
    """For each number of printed hits among n the fewest and the most own hits among m that are within noise of it."""
    for hits in range(n + 1):
        printed, middle = (hits / n, n), round(m * hits / n)
        assert holds((middle / m, m), printed)
        below, above = -1, m + 1
        first = last = middle
        while first - below > 1:
            at = (first + below) // 2
            first, below = (at, below) if holds((at / m, m), printed) else (first, at)
        while above - last > 1:
            at = (last + above) // 2
            last, above = (at, above) if holds((at / m, m), printed) else (last, at)
        yield first, last


@cache
def bounds(m: int, n: int) -> np.ndarray:
    """What `within` gives, [n + 1, 2]."""
    return np.array(list(within(m, n)))


def apart(m: int, n: int, own: float, printed: float) -> float:
    """The exact chance that scores of m and n draws at these true rates are told apart."""
    up_to = np.concatenate([[0.0], np.cumsum(chances(m, own))])
    first, last = bounds(m, n).T
    return 1 - float(chances(n, printed) @ (up_to[last + 1] - up_to[first]))


@pytest.mark.parametrize(("m", "n"), DESIGNS)
def test_scores_of_one_rate_are_told_apart_at_most_5_percent_of_the_time(m: int, n: int) -> None:
    """Computed, not drawn: the chance of every outcome times what the function says of it."""
    worst = max(apart(m, n, rate, rate) for rate in RATES)
    assert worst <= 0.05


def test_without_the_correction_it_would_be_more() -> None:
    def marked(own: int, printed: int) -> bool:
        low, high = confint_proportions_2indep(own, 9, printed, 9, method="newcomb", compare="diff")
        return not low <= 0 <= high

    marks = np.array([[marked(own, printed) for printed in range(10)] for own in range(10)])
    assert max(float(chances(9, rate) @ marks @ chances(9, rate)) for rate in RATES) > 0.05


def test_real_differences_are_seen() -> None:
    """Power over the benchmarks: 20 points on FOLIO, MuSiQue and Temporal; AIME's 30 questions see no less than 40."""
    assert apart(203, 203, 0.6, 0.8) > 0.98 and apart(250, 250, 0.7, 0.9) > 0.99
    assert apart(100, 100, 0.05, 0.25) > 0.95 and apart(30, 30, 0.3, 0.7) > 0.8
    assert apart(300, 30, 0.4, 0.7) > apart(30, 30, 0.4, 0.7) + 0.2, "more samples, less noise"


def spread(generator: np.random.Generator, mean: float, questions: int) -> np.ndarray:
    """Questions of which most are easy or hard: the chance of a right answer to each, [questions]."""
    return generator.beta(0.6 * mean, 0.6 * (1 - mean), questions)


@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize("asked", [30, 12])
def test_questions_that_differ_make_no_more_of_it(samples: int, asked: int) -> None:
    """Own runs over all of AIME or over a part of it that was drawn, beside one printed pass over all."""
    generator, marked = np.random.default_rng(1), 0
    own, printed = Asked(asked, asked * samples), Asked(30, 30)
    for _ in range(DRAWS):
        rates = spread(generator, 0.6, 30)
        mine = generator.binomial(samples, generator.permutation(rates)[:asked]).sum() / own.responses
        theirs = generator.binomial(1, rates).mean()
        marked += not holds((mine, own.draws(printed)), (theirs, printed.draws(own)))
    assert marked / DRAWS <= 0.05


@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize("known", [0.01, 0.1, 0.3])
def test_f1_stays_within_its_bound(samples: int, known: float) -> None:
    """F1 is 0 for most questions, 1 for some and between for others; the printed mean has no spread of its own."""
    generator, marked = np.random.default_rng(2), 0
    for _ in range(DRAWS):
        rates = spread(generator, known, 100)

        def means(count: int, rates: np.ndarray = rates) -> float:
            right = generator.random((count, 100)) < rates
            partly = (generator.random((count, 100)) < 0.15) * generator.beta(2, 3, (count, 100))
            return float(np.where(right, 1.0, partly).mean())

        marked += not holds((means(samples), 100 * samples), (means(1), 100))
    assert marked / DRAWS <= 0.05


@pytest.mark.parametrize("q", [30, 20])
@pytest.mark.parametrize(("questions", "samples"), [(30, 1), (30, 3), (100, 1), (100, 3)])
def test_ends_of_the_same_lengths_are_told_apart_as_rarely(questions: int, samples: int, q: int) -> None:
    """Hard questions get long and wrong answers: which responses are at an end is drawn too."""
    generator, marked, draws = np.random.default_rng(3), np.zeros(2), 1_500
    for _ in range(draws):
        hard = generator.normal(0.0, 1.5, questions)

        def shares(count: int, hard: np.ndarray = hard) -> tuple[list[float], int]:
            each = np.tile(hard, count)
            right = generator.random(len(each)) < 1 / (1 + np.exp(each))
            words = np.exp(7 + 0.4 * each + 0.3 * ~right + generator.normal(0.0, 0.5, len(each)))
            cut = ends(words, np.zeros(len(each), dtype=bool), q)
            return [float(end @ right) / cut.k for end in (cut.shortest, cut.longest)], cut.k

        (own, k), (printed, n) = shares(samples), shares(1)
        marked += [not holds((mine, k), (theirs, n)) for mine, theirs in zip(own, printed, strict=True)]
    assert (marked / draws <= 0.05).all()


def test_the_corrected_interval_on_known_values() -> None:
    # Newcombe 1998: differences of proportions, method 11.
    assert noise((56 / 70, 70), (48 / 80, 80)) == pytest.approx((0.0428, 0.3422), abs=5e-5)
    # Wilson with continuity correction of 0 of 20 ends at 0.2005; of two such the difference ends as far from 0.
    assert noise((0.0, 20), (0.0, 20)) == pytest.approx((-0.2005, 0.2005), abs=5e-5)


def test_draws_are_responses_where_the_questions_are_the_same() -> None:
    own, printed = Asked(30, 90), Asked(30, 30)
    assert (own.draws(printed), printed.draws(own)) == (90, 30)
    part, thrice = Asked(10, 40), Asked(30, 90)
    assert (part.draws(thrice), thrice.draws(part)) == (10, 30)


def test_differences_know_noise(book: Book) -> None:
    variant = book.variant("awq-4bit", model="R1-Distill-Llama-8B")
    book.run(variant, "folio", graded(1, 140) + graded(0, 63))
    book.run(variant, "temporal", graded(1, 60) + graded(0, 190))
    [row] = with_differences(scores_rows(book.reader), "v3")
    near, far = (row["benchmarks"][name]["published"]["accuracy"] for name in ("folio", "temporal"))
    assert near["difference"] == pytest.approx(100 * 140 / 203 - 68.0) and near["within_noise"]
    assert far["difference"] == pytest.approx(-60.0) and not far["within_noise"] and far["difference_ci"][1] < -50
    assert "published" not in scores_rows(book.reader)[0]["benchmarks"]["folio"]
    assert "published" not in with_differences(scores_rows(book.reader), "v1")[0]["benchmarks"]["folio"]


def test_every_printed_variant_meets_a_run_of_it(book: Book) -> None:
    """Under the names that lm-eval, the hub and this project write."""
    names = {
        "none": ("deepseek-ai/DeepSeek-R1", [73.3, 76.4, 99.6]),
        "dynamic-2.51": ("DeepSeek-R1", [76.7, 77.8, 100.0]),
        "dynamic-1.58bit": ("DeepSeek-R1", [66.7, 75.4, 94.0]),
        "sparsegpt-50": ("DeepSeek-R1-Distill-Llama-70B", [26.7, 70.9, 97.2]),
        "sparsegpt-80": ("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", [0.0, 8.7, 2.0]),
    }
    for compression, (model, _) in names.items():
        variant = book.variant(compression, model=model)
        for benchmark in of("paper", "reasoning"):
            book.run(variant, benchmark, graded(1, 10))
    for row in with_differences(scores_rows(book.reader)):
        values = dict(zip(("aime", "folio", "temporal"), names[row["compression"]][1], strict=True))
        for name, cell in row["benchmarks"].items():
            assert cell["published"]["accuracy"]["printed"] == values[name] and cell["published"]["edition"] == "v1"


def test_own_samples_make_the_noise_smaller(book: Book) -> None:
    """18 of 30 right, once, and then in three more samples, which are pooled: the same score beside 73.3, with less noise."""
    variant = book.variant("none", model="DeepSeek-R1")
    book.run(variant, "aime", graded(1, 18) + graded(0, 12))
    [once] = with_differences(scores_rows(book.reader))
    run = book.run(variant, "aime", [])
    for position in range(30):
        [response] = graded(int(position < 18))
        for sample in range(3):
            item = book._item("aime", position)
            book.insert(
                "responses", job_id=run, item_id=item, position=position, sample=sample, seed=0, state="done", **response
            )
    [pooled] = with_differences(scores_rows(book.reader))
    cells = [row["benchmarks"]["aime"]["published"]["accuracy"] for row in (once, pooled)]
    assert [cell["difference"] for cell in cells] == [pytest.approx(-13.3)] * 2
    one, four = ([100 * end for end in noise((0.6, draws), (0.733, 30))] for draws in (30, 120))
    assert cells[0]["difference_ci"] == pytest.approx(one) and cells[1]["difference_ci"] == pytest.approx(four)
    assert one[0] < four[0] and four[1] < one[1]


def test_lengths_stand_beside_both_printed_tables(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    """AIME's 30 questions have 9 at either end (Table 4), or 6 (Table 5)."""
    variant = book.variant("dynamic-2.51", model="deepseek-ai/DeepSeek-R1")
    responses = [graded(int(at < 7), words=100 + at)[0] for at in range(30)]
    book.run(variant, "aime", responses)
    for q, table, long in ((30, 4, 33.3), (20, 5, 33.3)):
        [row] = lengths_with_differences(lengths_rows(book.reader, q))
        short = row["published"]["short"]["accuracy"]
        assert short["printed"] == 100.0 and short["within_noise"]
        assert row["published"]["long"]["accuracy"]["printed"] == long and row["published"]["table"] == table
        assert row["published"]["long"]["accuracy"]["difference"] == pytest.approx(-33.3)
    [row] = lengths_with_differences(lengths_rows(book.reader, 30))
    assert row["published"]["short"]["accuracy"]["difference"] == pytest.approx(-22.2, abs=0.05)
    assert "published" not in lengths_with_differences(lengths_rows(book.reader, 25))[0]
    [row] = lengths_with_differences(lengths_rows(book.reader, 30), "v3")
    assert row["published"]["long"] == {}, "v3 is known in part"
    for form in ("table", "csv", "markdown", "latex", "json", "html"):
        assert cli.main(["lengths", "--published", "--format", form, "--db", str(book.path)]) == 0
        out = capsys.readouterr().out
        assert "22.2" in out and ("within" in out or form == "csv")


def test_f1_at_the_ends_is_compared_too(monkeypatch: pytest.MonkeyPatch, book: Book) -> None:
    printed: PrintedLengths = {
        "table": 4,
        "edition": "v1",
        "source": "notes",
        "model": "pocket",
        "compression": "-",
        "benchmark": "musique",
        "short": {"em": 10.0, "f1": 20.0},
        "long": {},
    }
    latest = tables() | {"lengths": [printed]}
    monkeypatch.setattr(published, "tables", lambda: latest)
    book.run(book.variant(), "musique", [{"finish_reason": "stop", "em": 0.0, "f1": 0.5, "answer_words": 3}] * 100)
    [row] = lengths_with_differences(lengths_rows(book.reader, 30))
    f1 = row["published"]["short"]["f1"]
    assert (f1["printed"], f1["difference"]) == (20.0, pytest.approx(30.0)) and not f1["within_noise"]
    assert f1["difference_ci"] == pytest.approx([100 * end for end in noise((0.5, 30), (0.2, 30))])
    assert row["published"]["short"]["em"]["within_noise"]
