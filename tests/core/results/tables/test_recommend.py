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
    assert any("within noise" in reason and "q4_0" in reason for reason in found["reasons"])
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
