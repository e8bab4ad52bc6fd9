"""Claims over small stores: supported, contradicted, inconclusive, and honest where there is too little."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core import cli
from core.results.tables.findings import findings
from tests.helpers.book import Book, graded


def claim(book: Book, starts: str) -> dict[str, Any]:
    found = findings(book.reader)
    json.dumps(found, allow_nan=False)
    [one] = [c for c in found["claims"] if c["claim"].startswith(starts)]
    return one


def facts(book: Book, compression: str, right: int, of: int = 100) -> None:
    run = [{"finish_reason": "stop", "em": float(i < right), "f1": float(i < right)} for i in range(of)]
    book.run(book.variant(compression), "musique", run)


def test_an_empty_store_has_not_enough_data(book: Book) -> None:
    found = findings(book.reader)
    assert {c["verdict"] for c in found["claims"]} == {"not enough data"} and found["ranking"] == []


@pytest.mark.parametrize(
    ("quantized", "pruned", "verdict"), [(60, 10, "supported"), (10, 60, "contradicted"), (32, 30, "inconclusive")]
)
def test_quantization_and_knowledge(book: Book, quantized: int, pruned: int, verdict: str) -> None:
    facts(book, "none", 65)
    facts(book, "q4_0", quantized)
    facts(book, "sparsegpt-50", pruned)
    one = claim(book, "Quantization")
    assert (one["verdict"], one["effect"], one["runs"]) == (verdict, pytest.approx(quantized - pruned), 2)
    assert one["effect_ci"][0] < one["effect"] < one["effect_ci"][1]


def test_other_models_are_no_comparison(book: Book) -> None:
    facts(book, "q4_0", 60)
    book.run(book.variant("sparsegpt-50", model="other"), "musique", [{"finish_reason": "stop", "em": 0.0, "f1": 0.0}] * 50)
    assert claim(book, "Quantization")["verdict"] == "not enough data"


def prune(book: Book, model: str, curves: dict[str, list[int]]) -> None:
    for at, compression in enumerate(("none", "sparsegpt-30", "sparsegpt-50", "sparsegpt-70")):
        variant = book.variant(compression, model=model)
        for name, rights in curves.items():
            right = rights[at]
            if name == "musique":
                run = [{"finish_reason": "stop", "em": float(i < right), "f1": float(i < right)} for i in range(100)]
            else:
                run = graded(1, right) + graded(0, 100 - right)
            book.run(variant, name, run)


def test_harder_tasks_and_knowledge_collapse_earlier(book: Book) -> None:
    curves = {"aime": [50, 48, 5, 0], "folio": [75, 74, 70, 33], "temporal": [99, 99, 98, 97], "musique": [40, 5, 0, 0]}
    for model in ("a", "b", "c"):
        prune(book, model, curves)
    harder, knowledge = claim(book, "Harder"), claim(book, "Pruning loses")
    assert harder["verdict"] == knowledge["verdict"] == "supported"
    assert harder["effect"] == knowledge["effect"] == 50 and "9 of 9" in harder["basis"]
    assert harder["runs"] == 36


def test_one_pair_is_not_enough(book: Book) -> None:
    prune(book, "a", {"aime": [50, 48, 5, 0], "folio": [90, 90, 90, 33]})
    one = claim(book, "Harder")
    assert (one["verdict"], one["effect"], one["effect_ci"]) == ("not enough data", 50, None)


def test_length_and_correctness_with_difficulty_free_and_fixed(book: Book) -> None:
    """Easy questions are short and right; within each question the right sample is the longer one."""
    run = book.run(book.variant(), "aime", [])
    for question in range(40):
        easy = question < 20
        for sample in range(2):
            right = 1 if easy or sample else 0
            words = (100 if easy else 1_000 + 100 * question) + 10 * sample
            item = book._item("aime", question)
            [given] = graded(right, words=words)
            place = {"job_id": run, "item_id": item, "position": question, "sample": sample, "seed": 0}
            book.insert("responses", **place, state="done", **given)
    assert claim(book, "Shorter outputs are more accurate within")["verdict"] == "contradicted"
    plain = [c for c in findings(book.reader)["claims"] if c["claim"] == "Shorter outputs are more accurate"]
    assert plain[0]["verdict"] == "supported" and "not held fixed" in plain[0]["basis"]


def test_the_ranking_puts_the_least_loss_first(book: Book) -> None:
    for compression, right in (("none", 80), ("q4_0", 78), ("q8_0", 80), ("sparsegpt-50", 40), ("magnitude-50", 10)):
        book.run(book.variant(compression), "folio", graded(1, right) + graded(0, 100 - right))
    facts(book, "q3_k_s", 1)
    rows = findings(book.reader)["ranking"]
    assert [row["method"] for row in rows] == ["q8_0", "q4_0", "sparsegpt", "magnitude"]
    assert rows[2]["reasoning"] == pytest.approx(-40) and rows[2]["reasoning_ci"][1] < -25
    assert rows[0]["knowledge"] is None and rows[0]["runs"] == 1


@pytest.mark.parametrize("form", ["table", "csv", "markdown", "latex", "json", "html"])
def test_the_command_in_every_format(book: Book, capsys: pytest.CaptureFixture[str], form: str) -> None:
    for compression, right in (("none", 80), ("q4_0", 78)):
        book.run(book.variant(compression), "folio", graded(1, right) + graded(0, 100 - right))
    assert cli.main(["findings", "--db", str(book.path), "--format", form]) == 0
    assert "Quantization" in capsys.readouterr().out
