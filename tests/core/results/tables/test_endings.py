"""What tables say of how outputs ended, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from core import cli
from core.results.rows import ScoreCell
from core.results.show.sheets import counts
from core.results.stats import mean_interval
from core.results.summary_cache import cache_ended
from core.results.tables.scores import scores_rows
from tests.helpers.book import Book, graded


def cut(tokens: int, limit: int = 1000, **columns: Any) -> dict[str, Any]:
    """An output that was cut in its thinking after so many tokens."""
    known = {"thinking_tokens": tokens, "answer_tokens": 0, "token_limit": limit, **columns}
    return graded(0, finish_reason="length", ending="cut_in_thinking", parsed=None, **known)[0]


def scored(book: Book, responses: list[dict[str, Any]], benchmark: str = "aime") -> ScoreCell:
    """The cell of a run with these responses."""
    book.run(book.variant(), benchmark, responses)
    return scores_rows(book.reader)[0]["benchmarks"][benchmark]


def test_endings_are_counted_and_the_score_is_told_without_those_that_were_cut(book: Book) -> None:
    responses = [
        *graded(1, 4, ending="answered"),
        *graded(0, 2, ending="answered"),
        *graded(0, 1, ending="malformed", parsed=None),
        *[cut(1000), cut(1000)],
        *graded(0, 1, ending="loop", finish_reason="repetition"),
        {"finish_reason": "error", "ending": "error"},
        {"finish_reason": "cancelled"},
    ]
    cell = scored(book, responses)
    assert cell["endings"] == {"error": 1, "loop": 1, "cut_in_thinking": 2, "malformed": 1, "answered": 6}
    assert cell["accuracy"] == 40.0 and cell["share_cut"] == 30.0 and cell["bound"] == 70.0
    assert cell["ended_score"] == pytest.approx(400 / 7)
    low, high = mean_interval([1, 1, 1, 1, 0, 0, 0], [1] * 7)
    assert cell["ended_ci"] == pytest.approx([100 * low, 100 * high])
    assert cell["lenient"] is None and cell["effective_limit"] is None
    notes = counts(cell)
    assert "2 cut, 1 loop, 1 malformed" in notes and "at most 70.0" in notes and any("ended 57.1 (" in note for note in notes)


def test_the_question_is_the_unit_of_what_ended(book: Book) -> None:
    """Question 0 ended once, right, of 3 samples; question 1 ended three times, wrong: 50 % and not 25 %."""
    variant = book.variant()
    book.run(variant, "aime", [*graded(1, ending="answered"), *graded(0, ending="answered")])
    for _ in range(2):
        book.run(variant, "aime", [cut(1000), *graded(0, ending="answered")])
    cell = scores_rows(book.reader)[0]["benchmarks"]["aime"]
    assert cell["ended_score"] == 50.0 and cell["share_cut"] == pytest.approx(100 / 3) and cell["bound"] == 50.0
    assert cell["endings"] == {"cut_in_thinking": 2, "answered": 4}


def test_an_output_cut_by_a_stop_string_is_cut_and_a_store_without_endings_has_its_finish_reasons(book: Book) -> None:
    by_stop = graded(0, 1, ending="cut_in_thinking")
    cell = scored(book, [*by_stop, *graded(1, 1), *graded(0, 2, finish_reason="length")])
    assert cell["share_cut"] == 75.0 and cell["endings"] == {"cut_in_thinking": 1}


def test_what_ended_in_its_thinking_is_shown_graded_both_ways(book: Book) -> None:
    unclosed = graded(0, 2, ending="ended_in_thinking", parsed=None, lenient_score=1.0, lenient_credit=1.0)
    judged = graded(0, 1, ending="ended_in_thinking", parsed=None, lenient_score=1.0, lenient_credit=1.0, hand=0)
    cell = scored(book, [*unclosed, *judged, *graded(1, 1, ending="answered")])
    assert (cell["accuracy"], cell["lenient"]) == (25.0, 75.0), "a verdict by hand holds"
    assert "lenient 75.0" in counts(cell) and "3 unclosed" in counts(cell)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([1000] * 10, None),
        ([995] * 10, None),
        ([500, 505, 498, 1000], 505),
        ([500, 505, 1000, 1000], None),
        ([100, 300, 500, 700], None),
        ([500] * 3 + [1000] * 70, None),
        ([500] * 4 + [1000] * 70, 500),
        ([500] * 3 + [700] * 4, 700),
    ],
)
def test_the_effective_limit_is_where_cut_outputs_pile_up_below_the_nominal_one(
    book: Book, tokens: list[int], expected: int | None
) -> None:
    assert scored(book, [cut(count) for count in tokens])["effective_limit"] == expected


def test_without_counted_tokens_or_a_known_limit_there_is_no_effective_one(book: Book) -> None:
    unknown = [cut(500, token_limit=None) if at else cut(500, thinking_tokens=None, answer_tokens=None) for at in range(6)]
    assert scored(book, unknown)["effective_limit"] is None


def test_a_cached_summary_says_the_same(book: Book) -> None:
    responses = [cut(500)] * 4 + graded(1, 3, ending="answered") + [{"finish_reason": "error", "ending": "error"}]
    book.run(book.variant(), "aime", responses, state="done")
    computed = scores_rows(book.reader)
    cache_ended(book.writer)
    assert scores_rows(book.reader) == computed


def test_responses_are_filtered_by_their_ending(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    book.run(book.variant(), "aime", [cut(1000), *graded(1, 2, ending="answered")])
    command = ["responses", "--db", str(book.path), "--format", "csv"]
    for words in (["--ending", "cut_in_thinking"], ["ending:cut_in_thinking"]):
        assert cli.main([*command, *words]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 2 and "cut_in_thinking" in lines[1]
    assert cli.main([*command, "--ending", "nonsense"]) == 2
    assert "cut_in_answer" in capsys.readouterr().err
