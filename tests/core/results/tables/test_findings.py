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


def variant(book: Book, compression: str, reasoning: int, knowledge: int, model: str = "m") -> None:
    """A variant with so many of 100 right in reasoning and in knowledge."""
    number = book.variant(compression, model=model)
    book.run(number, "folio", graded(1, reasoning) + graded(0, 100 - reasoning))
    book.run(
        number,
        "musique",
        [{"finish_reason": "stop", "em": float(i < knowledge), "f1": float(i < knowledge)} for i in range(100)],
    )


@pytest.mark.parametrize(("keeps", "verdict"), [(60, "supported"), (33, "inconclusive")])
def test_knowledge_is_compared_at_equal_reasoning(book: Book, keeps: int, verdict: str) -> None:
    """Pruning to 50 % leaves 70 right in reasoning and 30 in knowledge; quantized variants reason as well."""
    pruned = {
        "sparsegpt-10": (79, 58),
        "sparsegpt-30": (76, 45),
        "sparsegpt-50": (70, 30),
        "wanda-30": (75, 42),
        "wanda-50": (68, 25),
    }
    for model in ("a", "b"):
        variant(book, "none", 80, 65, model)
        for compression, (reasoning, knowledge) in pruned.items():
            variant(book, compression, reasoning, knowledge, model)
        for place, compression in enumerate(("q4_0", "q3_k_s", "iq2_m", "q2_k", "iq1_s")):
            variant(book, compression, 72 - place // 2, keeps - place, model)
    one = claim(book, "Quantization")
    assert one["verdict"] == verdict and one["effect"] is not None
    assert one["effect_ci"][0] < one["effect"] < one["effect_ci"][1]


def test_without_reasoning_there_is_nothing_to_compare_knowledge_at(book: Book) -> None:
    for compression, right in (("none", 65), ("q4_0", 60), ("sparsegpt-50", 10)):
        facts(book, compression, right)
    assert claim(book, "Quantization")["verdict"] == "not enough data"


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


def test_four_benchmarks_cannot_tell_which_kind_collapses_first(book: Book) -> None:
    curves = {"aime": [50, 48, 5, 0], "folio": [75, 74, 70, 33], "temporal": [99, 99, 98, 97], "musique": [40, 5, 0, 0]}
    for model in ("a", "b", "c"):
        prune(book, model, curves)
    harder, knowledge = claim(book, "Harder"), claim(book, "Pruning loses")
    assert harder["effect"] > 45 and knowledge["effect"] > 45 and harder["runs"] == 36
    assert harder["verdict"] == knowledge["verdict"] == "not enough data"
    assert "3 benchmarks" in harder["basis"] and "in any order by chance 33% of the time" in harder["basis"]


def test_one_pair_is_not_enough(book: Book) -> None:
    prune(book, "a", {"aime": [50, 48, 5, 0], "folio": [90, 90, 90, 33]})
    one = claim(book, "Harder")
    assert (one["verdict"], one["effect_ci"]) == ("not enough data", None) and one["effect"] > 45


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
