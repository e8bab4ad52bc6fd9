"""Which variant for how much memory: the choice, the front and the reasons."""

from __future__ import annotations

import json

import pytest

from core import cli
from core.errors import UsageError
from core.results.tables.recommend import memory_of, recommend
from tests.helpers.book import Book, graded


@pytest.mark.parametrize(("text", "size"), [("24GB", 24e9), ("80 GiB", 80 * 2**30), ("512mb", 512e6), ("16", 16e9)])
def test_memory(text: str, size: float) -> None:
    assert memory_of(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "0", "24GB please"])
def test_no_memory(text: str) -> None:
    with pytest.raises(UsageError):
        memory_of(text)


def fill(book: Book) -> None:
    for compression, size, right, f1 in (
        ("none", 16e9, 90, 0.4),
        ("q8_0", 8e9, 88, 0.4),
        ("q4_0", 4e9, 86, 0.35),
        ("magnitude-50", 5e9, 30, 0.0),
    ):
        variant = book.variant(compression, bytes=int(size), parameters=8_000_000_000, bits_per_weight=size / 1e9)
        for name in ("aime", "folio", "temporal"):
            book.run(variant, name, graded(1, right) + graded(0, 100 - right))
        book.run(
            variant,
            "musique",
            [{"finish_reason": "stop", "em": f1, "f1": f1}] * 50 + [{"finish_reason": "stop", "em": 0.0, "f1": 0.0}],
        )


def test_the_best_that_fits_is_chosen_with_reasons(book: Book) -> None:
    fill(book)
    found = recommend(book.reader, 10e9)
    json.dumps(found, allow_nan=False)
    assert found["choice"] == "pocket q8_0"
    assert [row["label"].split()[1] for row in found["front"]] == ["q4_0", "magnitude-50", "q8_0", "none"]
    assert [row["on_front"] for row in found["front"]] == [True, False, True, True]
    assert [row["fits"] for row in found["front"]] == [True, True, True, False]
    assert (found["ties"], found["smallest"]) == (["pocket q4_0"], "pocket q4_0")
    assert "The smallest of them is pocket q4_0, 86.0 (81 to 89) in 4.4 GB." in found["reasons"]
    assert recommend(book.reader, 5e9)["choice"] == "pocket q4_0"
    assert recommend(book.reader, 30e9)["choice"] == "pocket none"


def test_knowledge_rules_out_what_knows_clearly_less(book: Book) -> None:
    fill(book)
    variant = book.variant("distilled", bytes=10**9)
    for name in ("aime", "folio", "temporal"):
        book.run(variant, name, graded(1, 99) + graded(0, 1))
    assert recommend(book.reader, 10e9)["choice"] == "pocket distilled"
    book.run(variant, "musique", [{"finish_reason": "stop", "em": 0.0, "f1": 0.0}] * 50)
    found = recommend(book.reader, 10e9, knowledge=True)
    assert found["choice"] == "pocket q8_0" and any("know clearly less" in reason for reason in found["reasons"])


def test_nothing_fits_and_nothing_known(book: Book) -> None:
    assert recommend(book.reader, 1e9)["choice"] is None
    fill(book)
    found = recommend(book.reader, 1e9)
    assert found["choice"] is None and "q4_0, needs 4.4 GB" in found["reasons"][0]


def test_imports_have_the_size_that_parameters_and_bits_give(book: Book) -> None:
    for compression, bits in (("none", None), ("awq-4bit", 4.0), ("gptq", None)):
        variant = book.variant(compression, format="hf", parameters=8_000_000_000, bits_per_weight=bits)
        for name in ("aime", "folio", "temporal"):
            book.run(variant, name, graded(1, 5), engine="imported")
    found = recommend(book.reader, 24e9)
    assert [(row["bytes"], row["estimated"]) for row in found["front"]] == [(4e9, True), (16e9, True)]
    assert "1 variant has scores but no known size" in found["reasons"][-1]


@pytest.mark.parametrize("form", ["table", "csv", "markdown", "latex", "json", "html"])
def test_the_command(book: Book, capsys: pytest.CaptureFixture[str], form: str) -> None:
    fill(book)
    assert cli.main(["recommend", "--memory", "10GB", "--knowledge", "--db", str(book.path), "--format", form]) == 0
    assert "q8" in capsys.readouterr().out


def asked(book: Book, compression: str, size: int, right: int, questions: int) -> None:
    """A variant with so many right of so many questions of each benchmark of the average."""
    variant = book.variant(compression, bytes=size)
    for name in ("aime", "folio", "temporal"):
        book.run(variant, name, graded(1, right) + graded(0, questions - right))


def test_a_variant_asked_few_questions_is_left_out_and_named(book: Book) -> None:
    asked(book, "q8_0", 8 * 10**9, 80, 100)
    asked(book, "q2_k", 2 * 10**9, 29, 29)
    asked(book, "q1", 10**9, 1, 1)
    found = recommend(book.reader, 10e9)
    assert found["choice"] == "pocket q8_0" and found["ties"] == []
    assert "Left out, with fewer than 30 questions of a benchmark: pocket q1, pocket q2_k." in found["reasons"]
    assert [(row["enough"], row["on_front"]) for row in found["front"]] == [(False, False), (False, False), (True, True)]
    only_few = recommend(book.reader, 4e9)
    assert only_few["choice"] is None and "pocket q1" in only_few["reasons"][-1]


def test_the_choice_has_the_highest_lower_bound_and_not_the_highest_average(book: Book) -> None:
    asked(book, "q8_0", 8 * 10**9, 180, 200)
    asked(book, "q4_0", 4 * 10**9, 28, 30)
    found = recommend(book.reader, 10e9)
    small, large = found["front"]
    assert small["score"] > large["score"] and small["score_ci"][0] < large["score_ci"][0]
    assert found["choice"] == "pocket q8_0"


def test_what_a_paired_test_tells_apart_is_no_tie_though_intervals_overlap(book: Book) -> None:
    asked(book, "q8_0", 8 * 10**9, 90, 100)
    asked(book, "q4_0", 4 * 10**9, 84, 100)
    found = recommend(book.reader, 10e9)
    small, large = found["front"]
    assert small["score_ci"][1] > large["score_ci"][0] and found["ties"] == []
    assert found["smallest"] == found["choice"] == "pocket q8_0"
