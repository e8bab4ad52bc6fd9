"""Scores of small stores, worked out by hand."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from core.engines.host.wire import Sampling
from core.results import frames
from core.results.show.sheets import counts
from core.results.tables.scores import scores_rows
from core.store import reviews
from tests.helpers.book import Book, graded


def test_counts_accuracy_and_interval(book: Book) -> None:
    variant = book.variant("q4_0", bits_per_weight=4.5, parameters=1_200_000, sparsity=0.5)
    responses = (
        graded(1, 6)
        + graded(0, 1)
        + graded(0, 1, parsed=None, finish_reason="length")
        + graded(1, 2, finish_reason="repetition")
        + [{"finish_reason": "error"}, {"finish_reason": "cancelled"}, {"state": "active"}, {}]
    )
    run = book.run(variant, "temporal", responses)
    [row] = scores_rows(book.reader)
    cell = row["benchmarks"].pop("temporal")
    assert row == {
        **{"variant": "pocket q4_0", "label": "pocket q4_0", "model": "pocket", "family": "pocket", "parameters": 1_200_000},
        **{"compression": "q4_0", "bits_per_weight": 4.5, "sparsity": 50.0, "origin": "measured"},
        **{"engine": "llama.cpp", "benchmarks": {}, "average": None, "average_ci": None, "average_of": None, "main": True},
        "sampling": {**asdict(Sampling()), "stop": []},
    }
    interval = cell.pop("accuracy_ci")
    assert cell.pop("error") == pytest.approx(100 * (0.6 * 0.4 / 9) ** 0.5)
    counted = {"n": 14, "finished": 10, "responses": 10, "planned": 14, "samples": 1, "unparsed": 1, "failed": 2, "run": run}
    counted |= {"runs": [run], "limit": None, "prompt": None, "questions": None, "accuracy": 60.0}
    assert cell.pop("ended_score") == pytest.approx(600 / 7) and len(cell.pop("ended_ci")) == 2
    counted |= {"endings": {"error": 1}, "share_cut": 30.0, "bound": 90.0, "lenient": None, "effective_limit": None}
    assert cell == counted | {"stopped": 2, "corrected": None, "corrected_ci": None}
    assert interval == pytest.approx([28.82, 85.88], abs=0.01)


def test_em_and_f1(book: Book) -> None:
    f1 = [1.0, 1.0, 0.5, 0.0, 0.8]
    responses = [
        {"finish_reason": "stop", "parsed": "x", "em": float(v == 1), "f1": v, "strict_em": 0.0, "strict_f1": v / 2} for v in f1
    ]
    responses.append({"finish_reason": "repetition", "parsed": "x", "em": 1.0, "f1": 1.0})
    book.run(book.variant(), "musique", responses)
    cell = scores_rows(book.reader)[0]["benchmarks"]["musique"]
    assert "accuracy" not in cell
    assert cell["em"] == pytest.approx(100 * 2 / 6)
    assert cell["f1"] == pytest.approx(100 * 3.3 / 6)
    assert (cell["strict_em"], cell["strict_f1"]) == (0.0, pytest.approx(100 * 1.65 / 6))
    assert cell["em_ci"] == pytest.approx([5.55, 75.31], abs=0.01)
    assert 0 <= cell["f1_ci"][0] < cell["f1"] < cell["f1_ci"][1] <= 100


def test_a_run_without_a_finished_response_has_null_scores(book: Book) -> None:
    book.run(book.variant(), "aime", [{}, {}])
    book.run(book.variant("q8_0"), "musique", [{}])
    dense, small = (row["benchmarks"] for row in scores_rows(book.reader))
    assert dense["aime"]["n"] == 2 and dense["aime"]["finished"] == 0 and dense["aime"]["unparsed"] == 0
    assert dense["aime"]["accuracy"] is None and dense["aime"]["accuracy_ci"] is None
    assert small["musique"]["f1"] is None and small["musique"]["strict_f1"] is None


def test_the_average_is_that_of_three_accuracies(book: Book) -> None:
    variant = book.variant()
    book.run(variant, "aime", graded(1, 3) + graded(0, 7))
    book.run(variant, "folio", graded(1, 6) + graded(0, 4))
    assert scores_rows(book.reader)[0]["average"] is None
    book.run(variant, "temporal", graded(1, 9) + graded(0, 1))
    book.run(variant, "musique", [{"finish_reason": "stop", "em": 0.0, "f1": 0.0}])
    [row] = scores_rows(book.reader)
    assert row["average"] == pytest.approx(60.0)
    assert row["average_of"] == ["aime", "folio", "temporal"]
    low, high = row["average_ci"]
    assert 40 < low < 60 < high < 80
    assert list(row["benchmarks"]) == ["aime", "folio", "temporal", "musique"]


def test_the_mini_suite_has_an_average_of_its_own(book: Book) -> None:
    variant = book.variant()
    for name, right in (("pocket-arithmetic", 1), ("pocket-logic", 2), ("pocket-temporal", 3)):
        book.run(variant, name, graded(1, right) + graded(0, 4 - right))
    [row] = scores_rows(book.reader)
    assert (row["average"], row["average_of"][0]) == (50.0, "pocket-arithmetic")


def test_alike_runs_are_pooled_question_by_question(book: Book) -> None:
    """Three runs at 90, 90 and 50 %: one score of 76.7, whatever their seeds and order."""
    variant = book.variant()
    for right, seed in ((9, 0), (9, 1), (5, 2)):
        book.run(variant, "aime", graded(1, right) + graded(0, 10 - right, parsed="B"), seed=seed, created=float(seed))
    [row] = scores_rows(book.reader)
    cell = row["benchmarks"]["aime"]
    assert cell["accuracy"] == pytest.approx(100 * 23 / 30)
    assert (cell["n"], cell["finished"], cell["responses"], cell["samples"], cell["runs"]) == (10, 10, 30, 3, [1, 2, 3])
    assert cell["majority"] == 100 * 9 / 10 and cell["pass_at_k"] == 90.0


def test_what_differs_stands_in_rows_of_its_own(book: Book) -> None:
    variant, hot = book.variant(), json.dumps({**asdict(Sampling()), "temperature": 9.0})
    book.run(variant, "aime", graded(1, 4), prompt_version="one")
    book.run(variant, "aime", graded(0, 4), sampling=hot)
    book.run(variant, "folio", graded(1, 4), sampling=hot)
    book.run(variant, "aime", graded(0, 2), item_limit=2, prompt_version="one")
    book.run(variant, "aime", graded(0, 3), prompt_version="two-and-more")
    labels = {row["label"]: row for row in scores_rows(book.reader)}
    assert set(labels) == {
        "pocket none (temperature 0.6)", "pocket none (temperature 9.0)", "pocket none (temperature 0.6, limit 2)",
        "pocket none (temperature 0.6, prompt two-and-)",
    }  # fmt: skip
    assert list(labels["pocket none (temperature 9.0)"]["benchmarks"]) == ["aime", "folio"]
    assert [row["main"] for row in labels.values()].count(True) == 1, "what findings rest on"


def test_a_run_of_an_older_store_is_like_one_that_knows_its_questions(book: Book) -> None:
    variant = book.variant()
    book.run(variant, "aime", graded(1, 4))
    book.run(variant, "aime", graded(0, 4), benchmark_version="v")
    [row] = scores_rows(book.reader)
    assert row["benchmarks"]["aime"]["accuracy"] == 50 and row["benchmarks"]["aime"]["questions"] == "v"


def test_outputs_from_elsewhere_are_never_pooled(book: Book) -> None:
    variant = book.variant()
    for right in (1, 0):
        book.run(variant, "aime", graded(right, 4), engine="imported", sampling="{}", message=f"imported from {right}.jsonl")
    assert [row["label"] for row in scores_rows(book.reader)] == ["pocket none", "pocket none (imported from 1.jsonl, run 1)"]


def test_a_doubtful_run_enters_no_average(book: Book) -> None:
    variant = book.variant()
    for name in ("aime", "folio"):
        book.run(variant, name, graded(1, 4))
    book.run(variant, "temporal", graded(1, 4), doubt="its model was read from another place")
    assert {row["average"] for row in scores_rows(book.reader)} == {None}


def test_a_doubtful_run_is_marked_and_never_pooled(book: Book) -> None:
    variant = book.variant()
    book.run(variant, "aime", graded(1, 4))
    book.run(variant, "aime", graded(0, 4), doubt="its model was read from another place")
    rows = scores_rows(book.reader)
    assert [row["label"] for row in rows] == ["pocket none", "pocket none (run 2, doubtful)"]
    assert rows[1]["benchmarks"]["aime"]["doubt"] == "its model was read from another place" and not rows[1]["main"]


def test_engines_are_told_apart_and_variants_go_from_dense_to_small(book: Book) -> None:
    small = book.variant("q4_0", bits_per_weight=4.5)
    dense = book.variant("none", bits_per_weight=16.0)
    pruned = book.variant("magnitude-50", bits_per_weight=16.0, sparsity=0.5)
    other = book.variant("none", model="alpha", bits_per_weight=8.0)
    for variant in (small, dense, pruned, other):
        book.run(variant, "aime", graded(1))
    book.run(dense, "aime", graded(0), engine="transformers")
    rows = scores_rows(book.reader)
    assert [row["label"] for row in rows] == [
        "alpha none",
        "pocket none (llama.cpp)",
        "pocket none (transformers)",
        "pocket magnitude-50",
        "pocket q4_0",
    ]


def test_an_empty_store_gives_an_empty_table(book: Book) -> None:
    assert scores_rows(book.reader) == []
    assert frames.scores(book.reader).empty


def test_the_rows_are_json_and_the_frame_is_tidy(book: Book) -> None:
    variant = book.variant()
    book.run(variant, "aime", graded(1, 2))
    book.run(variant, "folio", graded(0, 2))
    assert json.loads(json.dumps(scores_rows(book.reader), allow_nan=False)) == scores_rows(book.reader)
    frame = frames.scores(book.reader)
    assert frame[["benchmark", "accuracy"]].values.tolist() == [["aime", 100.0], ["folio", 0.0]]
    assert not book.reader.in_transaction


def test_the_frame_holds_recovery_beside_the_dense_model(book: Book) -> None:
    book.run(book.variant(), "folio", graded(1, 8) + graded(0, 2))
    book.run(book.variant("q4_0"), "folio", graded(1, 4) + graded(0, 6))
    assert frames.scores(book.reader).set_index("compression")["recovery"]["q4_0"] == 50.0


def test_a_verdict_by_hand_stands_for_the_graders_and_is_counted(book: Book) -> None:
    run = book.run(book.variant(), "folio", graded(1, 1) + graded(0, 3), state="done")
    book.run(book.variant("q4_0"), "musique", [{"finish_reason": "stop", "em": 0.0, "f1": 0.4}] * 2)
    for response in (2, 5):
        reviews.review(book.writer, response, True, False, "")
    first, second = (row["benchmarks"] for row in scores_rows(book.reader))
    assert (first["folio"]["accuracy"], first["folio"]["by_hand"], first["folio"]["run"]) == (50.0, 1, run)
    assert (second["musique"]["em"], second["musique"]["f1"]) == (50.0, pytest.approx(70.0))
    assert "1 judged by hand" in counts(first["folio"])
    reviews.review(book.writer, 2, None, False, "")
    assert scores_rows(book.reader)[0]["benchmarks"]["folio"]["accuracy"] == 25.0
