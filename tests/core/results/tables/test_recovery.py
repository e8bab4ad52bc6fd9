"""Compressed variants beside their dense model: scores and lengths of shared questions, worked out by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from core import cli
from core.results.rows import ScoreCell
from core.results.stats import recovery
from core.results.tables.recovery import with_recovery
from core.results.tables.scores import scores_rows
from tests.helpers.book import Book, graded, stopped


def answered(correct: int, count: int, tokens: int, **columns: Any) -> list[dict[str, Any]]:
    """Responses of so many tokens, in as many words and a half."""
    given = {"thinking_tokens": tokens - 1, "answer_tokens": 1, "ending": "answered", **columns}
    return graded(correct, count, given.pop("words", tokens * 3 // 2), **given)


def cells(book: Book) -> dict[str, ScoreCell]:
    """The AIME cells by compression."""
    rows = with_recovery(book.reader, scores_rows(book.reader))
    return {row["compression"]: row["benchmarks"]["aime"] for row in rows}


def fill(book: Book) -> None:
    book.run(book.variant(), "aime", answered(1, 20, 100) + answered(0, 10, 200))
    book.run(book.variant("q4_0"), "aime", answered(1, 15, 150) + answered(0, 15, 300))


def test_recovery_is_the_score_over_the_dense_one_with_interval_and_floor(book: Book) -> None:
    fill(book)
    both = cells(book)
    assert "recovery" not in both["none"]
    cell = both["q4_0"]
    expected = recovery([1] * 15 + [0] * 15, [1] * 20 + [0] * 10, [1] * 30)
    assert expected is not None and cell["recovery"] == pytest.approx(75.0)
    assert cell["recovery_ci"] == pytest.approx([100 * end for end in expected.interval])
    assert cell["recovery_floor"] == pytest.approx([100 * end for end in expected.floor])
    assert (cell["dense"], cell["dense_run"], cell["paired"]) == ("pocket none", 1, 30)


def test_inflation_goes_question_by_question_and_is_split_by_right_and_wrong(book: Book) -> None:
    """15 questions right on both at 1.5 times; 5 lost at 3 times; 10 wrong on both at 1.5 times."""
    fill(book)
    cell = cells(book)["q4_0"]
    assert cell["inflation"] == pytest.approx((1.5**25 * 3.0**5) ** (1 / 30))
    assert (cell["inflation_right"], cell["inflation_right_n"]) == (pytest.approx(1.5), 15)
    assert (cell["inflation_wrong"], cell["inflation_wrong_n"]) == (pytest.approx(1.5), 10)
    low, high = cell["inflation_ci"] or (0, 0)
    assert low < (cell["inflation"] or 0) < high and cell["inflation_unit"] == "tokens" and cell["inflation_cut"] == 0


def test_without_counted_tokens_words_are_compared(book: Book) -> None:
    book.run(book.variant(), "aime", answered(1, 10, 100))
    book.run(book.variant("q4_0"), "aime", answered(1, 10, 999, words=300, thinking_tokens=None, answer_tokens=None))
    cell = cells(book)["q4_0"]
    assert (cell["inflation"], cell["inflation_unit"]) == (pytest.approx(2.0), "words")


def test_a_stopped_output_has_the_tokens_up_to_its_limit_and_is_counted_as_cut(book: Book) -> None:
    book.run(book.variant(), "aime", answered(1, 20, 100))
    book.run(book.variant("q4_0"), "aime", [stopped(ending="loop") for _ in range(20)])
    cell = cells(book)["q4_0"]
    assert (cell["inflation"], cell["inflation_cut"]) == (pytest.approx(11.0), 20)
    assert cell["recovery"] == 0.0


def test_only_shared_questions_of_the_same_model_origin_and_protocol_are_compared(book: Book) -> None:
    book.run(book.variant(), "aime", answered(1, 10, 100))
    book.run(book.variant("q8_0"), "aime", answered(1, 4, 100) + answered(0, 2, 100))
    book.run(book.variant("q4_0", model="other"), "aime", answered(1, 4, 100))
    book.run(book.variant("q5_0"), "aime", answered(1, 4, 100), engine="imported")
    book.run(book.variant("q6_k"), "aime", answered(1, 4, 100), prompt_version="another")
    book.run(book.variant("q2_k"), "aime", answered(1, 4, 100), doubt="its model was read from another place")
    found = cells(book)
    assert [name for name, cell in found.items() if "dense" in cell] == ["q8_0"]
    assert found["q8_0"]["paired"] == 6 and found["q8_0"]["recovery"] == pytest.approx(100 * 4 / 6)


def test_the_dense_row_of_the_same_engine_is_preferred(book: Book) -> None:
    dense, small = book.variant(), book.variant("q4_0")
    for engine, right in (("transformers", 4), ("llama.cpp", 8)):
        book.run(dense, "aime", answered(1, right, 100) + answered(0, 10 - right, 100), engine=engine)
    book.run(small, "aime", answered(1, 4, 100) + answered(0, 6, 100))
    assert cells(book)["q4_0"]["recovery"] == pytest.approx(50.0)


def test_beside_a_dense_score_of_nothing_there_is_no_recovery(book: Book) -> None:
    book.run(book.variant(), "aime", answered(0, 10, 100))
    book.run(book.variant("q4_0"), "aime", answered(1, 10, 200))
    cell = cells(book)["q4_0"]
    assert cell["recovery"] is None and cell["recovery_floor"] is None and cell["inflation"] == pytest.approx(2.0)


@pytest.mark.parametrize("form", ["table", "csv", "markdown", "latex", "json", "html"])
def test_the_command_and_the_export_show_it(book: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    fill(book)
    assert cli.main(["scores", "--recovery", "--db", str(book.path), "--format", form]) == 0
    out = capsys.readouterr().out
    assert "75.0" in out and ("ecovery" in out)
    if form == "json":
        assert "recovery_ci" in json.loads(out)[1]["benchmarks"]["aime"]
    assert cli.main(["scores", "--db", str(book.path), "--json"]) == 0
    assert "recovery" not in capsys.readouterr().out
    folder = tmp_path / "report"
    assert cli.main(["export", str(folder), "--db", str(book.path)]) == 0
    rows = [row for row in csv.DictReader((folder / "scores.csv").open()) if row["dense"]]
    assert [float(row["recovery"]) for row in rows] == [75.0] and float(rows[0]["recovery_floor_low"]) < 100
    assert 'id="recovery"' in (folder / "index.html").read_text() and (folder / "recovery.tex").exists()


def test_an_empty_store_has_none(book: Book) -> None:
    assert with_recovery(book.reader, []) == []
