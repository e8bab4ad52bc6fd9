"""The shortest and the longest q %: the paper's counts, ties, censored lengths, and what must always hold."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UsageError
from core.results.tables.lengths import deciles_rows, ends, lengths_rows
from tests.helpers.book import Book, graded, stopped


@pytest.mark.parametrize(
    ("n", "q", "k"),
    [(203, 30, 60), (203, 20, 40), (30, 30, 9), (100, 20, 20), (10, 30, 3), (3, 30, 0), (1_000, 33.3, 333)],
)
def test_the_ends_hold_floor_of_q_n(n: int, q: float, k: int) -> None:
    found = ends(list(range(n)), [False] * n, q)
    assert found.k == k
    assert found.shortest.tolist() == [1.0] * k + [0.0] * (n - k)
    assert found.longest.tolist() == [0.0] * (n - k) + [1.0] * k


def test_ties_belong_with_their_share() -> None:
    found = ends([5, 5, 5, 5, 1, 9, 9, 9, 9, 9], [False] * 10, 30)
    assert found.shortest.tolist() == [0.5] * 4 + [1.0] + [0.0] * 5
    assert found.longest.tolist() == [0.0] * 5 + [0.6] * 5


def test_censored_lengths_tie_at_the_limit_above_all_others() -> None:
    found = ends([2, 900, 3, 4, 5, 6, 7, 8, 9, 1], [True, False, True, True, True, *[False] * 5], 20)
    assert found.longest.tolist() == [0.5, 0.0, 0.5, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert found.shortest.tolist() == [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("q", [0, -1, 51, math.nan])
def test_a_q_without_two_groups_is_refused(q: float) -> None:
    with pytest.raises(UsageError):
        ends([1, 2], [False, False], q)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=60),
    st.floats(0.5, 50),
)
def test_shares_sum_to_k_and_the_longest_are_longer(responses: list[tuple[int, bool]], q: float) -> None:
    words, censored = [w for w, _ in responses], [c for _, c in responses]
    found = ends(words, censored, q)
    for shares in (found.shortest, found.longest):
        assert shares.sum() == pytest.approx(found.k)
        assert shares.min() >= 0 and shares.max() <= 1
    assert (found.shortest + found.longest).max() <= 1 + 1e-9
    ranks = np.where(censored, 1_000, words)
    assert found.longest @ ranks >= found.shortest @ ranks - 1e-6


@given(st.permutations([(w, c) for w in (1, 2, 2, 3, 9) for c in (False, True)]))
def test_the_order_of_storage_does_not_matter(order: list[tuple[int, bool]]) -> None:
    found = ends([w for w, _ in order], [c for _, c in order], 30)
    by_response = sorted(zip(order, found.shortest.tolist(), found.longest.tolist(), strict=True))
    expected = ends([w for w, _ in sorted(order)], [c for _, c in sorted(order)], 30)
    assert by_response == list(zip(sorted(order), expected.shortest.tolist(), expected.longest.tolist(), strict=True))


def test_scores_and_ratio_of_a_run(book: Book) -> None:
    responses = [graded(int(words <= 400), words=words)[0] for words in range(100, 1_100, 100)]
    book.run(book.variant(), "folio", [*responses, {"finish_reason": "error"}, {}])
    [row] = lengths_rows(book.reader, 30)
    assert row == {
        **{"variant": "pocket none", "label": "pocket none", "engine": "llama.cpp", "benchmark": "folio", "q": 30, "k": 3},
        **{"short": {"words": 200.0, "accuracy": 100.0}, "long": {"words": 900.0, "accuracy": 0.0}},
        **{"model": "pocket", "compression": "none", "questions": 10},
        **{"ratio": 4.5, "censored": 0, "n": 10, "thinking_words": 549.0, "answer_words": 1.0, "run": 1},
    }


def test_em_and_f1_stand_for_accuracy(book: Book) -> None:
    responses = [
        {"finish_reason": "stop", "em": float(w == 1), "f1": 1 / w, "thinking_words": 0, "answer_words": w}
        for w in (1, 2, 4, 5)
    ]
    book.run(book.variant(), "musique", responses)
    [row] = lengths_rows(book.reader, 50)
    assert row["short"] == {"words": 1.5, "em": 50.0, "f1": 75.0}
    assert row["long"] == {"words": 4.5, "em": 0.0, "f1": pytest.approx(22.5)}


def test_a_stopped_response_ranks_last_with_the_length_that_its_loop_would_have_had(book: Book) -> None:
    cut = graded(1, words=300, finish_reason="length", thinking_tokens=1_000, answer_tokens=100, token_limit=1_100)
    book.run(book.variant(), "folio", [*graded(1, 3, words=400), stopped(), *cut])
    [row] = lengths_rows(book.reader, 40)
    # 1,000 tokens were left. 100 tokens make the 226 characters so far; the loop has 5 words in 22 characters.
    imputed = 50 + 1_000 * (5 / 22) * (226 / 100)
    assert row["k"] == 2 and row["censored"] == 2
    assert row["long"]["words"] == pytest.approx((300 + imputed) / 2)
    assert row["long"]["accuracy"] == 50.0  # stopped counts as wrong, though its text held the right answer
    assert row["short"] == pytest.approx({"words": 400.0, "accuracy": 100.0})


def test_without_its_text_a_stopped_response_goes_on_at_its_own_words_per_token(book: Book) -> None:
    response = stopped()
    del response["text"]
    book.run(book.variant(), "folio", [response, *graded(1, words=7)])
    assert lengths_rows(book.reader, 50)[0]["long"]["words"] == pytest.approx(50 + 1_000 * 50 / 100)


def test_too_few_responses_leave_the_ends_unknown(book: Book) -> None:
    book.run(book.variant(), "folio", graded(1, 3))
    [row] = lengths_rows(book.reader, 30)
    assert row["k"] == 0
    assert row["short"] == row["long"] == {"words": None, "accuracy": None}
    assert row["ratio"] is None
    json.dumps(row, allow_nan=False)


def test_tenths_by_length_share_ties_and_hold_every_response_once(book: Book) -> None:
    responses = [graded(int(words <= 400), words=words)[0] for words in range(100, 1_100, 100)]
    book.run(book.variant(), "folio", [*responses, *responses])
    [row] = deciles_rows(book.reader)
    assert row["n"] == 20
    assert [tenth["words"] for tenth in row["deciles"]] == pytest.approx([100.0 * n for n in range(1, 11)])
    assert [tenth["score"] for tenth in row["deciles"]] == pytest.approx([100.0] * 4 + [0.0] * 6)
    book.run(book.variant("q4_0"), "folio", [*graded(1, 3, words=5), *graded(0, 3, words=5), *graded(1, 1, words=9)])
    tenths = deciles_rows(book.reader)[1]["deciles"]
    assert [tenths[0]["score"], tenths[4]["score"]] == pytest.approx([50.0, 50.0]) and tenths[9]["score"] == pytest.approx(
        100.0
    )


def test_nothing_finished_gives_an_empty_table(book: Book) -> None:
    book.run(book.variant(), "folio", [{}])
    assert lengths_rows(book.reader) == []
    assert deciles_rows(book.reader) == []


@given(st.lists(st.integers(1, 500), min_size=2, max_size=40), st.floats(1, 50))
def test_uncensored_ratios_are_at_least_one(words: list[int], q: float) -> None:
    found = ends(words, [False] * len(words), q)
    if found.k:
        assert (found.longest @ words) / (found.shortest @ words) >= 1 - 1e-9
