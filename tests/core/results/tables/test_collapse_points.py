"""Collapse points: the paper's printed curves, small ones worked out by hand, and families in a store."""

from __future__ import annotations

import json

import pytest

from benchmarks.registry import get
from core.compress.methods import method
from core.results.tables.collapse_points import Step, collapse_point, points
from core.results.tables.published import published_rows, tables
from tests.helpers.book import Book, graded


@pytest.mark.parametrize("name", ["aime", "folio", "temporal", "musique"])
def test_the_papers_table_3_gives_the_papers_own_words(name: str) -> None:
    rows = [row for row in published_rows(table=3) if row["model"] == "R1-Distill-Llama-70B"]
    n = get(name).questions
    cells = [(row["sparsity"], row["benchmarks"][name]) for row in rows]
    curve = [Step(sparsity, cell.get("accuracy", cell.get("em")) * n / 100, n) for sparsity, cell in cells]
    found = collapse_point(curve, get(name).chance)
    [said] = [row for row in tables()["collapse"] if row["benchmark"] == name]
    assert (found["low"], found["high"], found["state"]) == (said["low"], said["high"], "collapsed")
    assert found["low_ci"][0] <= found["low"] <= found["low_ci"][1]


def test_qwen_has_collapsed_on_musique_before_any_pruning() -> None:
    rows = [row for row in published_rows(table=3) if row["model"] == "R1-Distill-Qwen-32B"]
    curve = [Step(row["sparsity"], row["benchmarks"]["musique"]["em"], 100) for row in rows]
    assert len(curve) == 8 and collapse_point(curve, 0.0)["state"] == "already collapsed"


@pytest.mark.parametrize(
    ("shares", "chance", "expected"),
    [
        ([(0, 80), (30, 70), (50, 41), (70, 39)], 0.0, (50, 70, "collapsed")),
        ([(0, 80), (30, 70), (50, 53)], 0.25, (30, 50, "intact")),
        ([(0, 80), (30, 70), (50, 52)], 0.25, (30, 50, "collapsed")),
        ([(0, 3), (30, 0)], 0.0, (None, None, "already collapsed")),
        ([(0, 30), (30, 0)], 0.25, (None, None, "already collapsed")),
        ([(30, 70), (50, 10)], 0.0, (None, None, "not enough data")),
        ([(0, 70)], 0.0, (None, None, "not enough data")),
    ],
)
def test_small_curves(shares: list[tuple[int, int]], chance: float, expected: tuple[float | None, float | None, str]) -> None:
    found = collapse_point([Step(sparsity, hits, 100) for sparsity, hits in shares], chance)
    low, high, state = expected
    if state == "intact":
        low, high = shares[-1][0], None
    assert (found["low"], found["high"], found["state"]) == (low, high, state)


def test_few_responses_give_a_wide_interval() -> None:
    def curve(n: int) -> list[Step]:
        return [Step(s, share * n, n) for s, share in ((0, 0.6), (20, 0.5), (40, 0.35), (60, 0.25), (80, 0.0))]

    few, many = collapse_point(curve(20), 0.0), collapse_point(curve(20_000), 0.0)
    assert many["low_ci"] == [40, 40] and many["high_ci"] == [60, 60] and many["agreeing"] == 100
    assert few["low_ci"][0] < 40 < few["high_ci"][1] or few["low_ci"][1] > 40
    assert few["agreeing"] < 90


def test_families_of_a_store(book: Book) -> None:
    for compression, right in (("none", 8), ("magnitude-30", 7), ("magnitude-50", 1), ("q4_0", 8), ("magnitude-50+q4_0", 8)):
        run = graded(1, 10 * right) + graded(0, 10 * (10 - right))
        book.run(book.variant(compression), "folio", run)
    book.run(book.variant("magnitude-50", model="alone"), "folio", graded(1, 3))
    found = {(p["family"], p["benchmark"]): p for p in points(book.reader)}
    assert json.dumps(list(found.values()), allow_nan=False)
    lost = found["pocket magnitude", "folio"]
    assert (lost["low"], lost["high"], lost["state"], lost["origin"]) == (30, 50, "collapsed", "measured")
    assert [(s["sparsity"], s["score"], s["n"]) for s in lost["curve"]] == [(0, 80, 100), (30, 70, 100), (50, 10, 100)]
    assert found["pocket magnitude+q4_0", "folio"]["state"] == "intact"
    assert found["alone magnitude", "folio"]["state"] == "not enough data"


def test_what_was_calibrated_on_one_text_is_one_family(book: Book) -> None:
    for compression, right in (("none", 8), ("wanda-30@c4", 7), ("wanda-50@c4", 1), ("wanda-50@traces", 8)):
        book.run(book.variant(compression), "folio", graded(1, 10 * right) + graded(0, 10 * (10 - right)))
    found = {p["family"]: p for p in points(book.reader)}
    assert [step["sparsity"] for step in found["pocket wanda@c4"]["curve"]] == [0, 30, 50]
    assert (found["pocket wanda@c4"]["state"], found["pocket wanda@traces"]["state"]) == ("collapsed", "intact")


@pytest.mark.parametrize(
    ("compression", "kind", "pruning", "percent", "rest", "name"),
    [
        ("none", "dense", None, None, "none", "none"),
        ("q4_k_m", "quantization", None, None, "q4_k_m", "q4_k_m"),
        ("sparsegpt-50", "pruning", "sparsegpt", 50, "none", "sparsegpt"),
        ("sparsegpt-50@c4", "pruning", "sparsegpt", 50, "none", "sparsegpt@c4"),
        (
            "sparsegpt-50+q4_0@traces-64x512",
            "pruning and quantization",
            "sparsegpt",
            50,
            "q4_0",
            "sparsegpt+q4_0@traces-64x512",
        ),
        ("sparsegpt-2of4", "pruning", "sparsegpt-2of4", None, "none", "sparsegpt-2of4"),
        ("magnitude-30+q4_0", "pruning and quantization", "magnitude", 30, "q4_0", "magnitude+q4_0"),
        ("awq-4bit", "quantization", None, None, "awq-4bit", "awq"),
    ],
)
def test_methods(compression: str, kind: str, pruning: str | None, percent: float | None, rest: str, name: str) -> None:
    found = method(compression)
    assert (found.kind, found.pruning, found.percent, found.rest, found.name) == (kind, pruning, percent, rest, name)
