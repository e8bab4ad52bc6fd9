"""The embedded family's study as reference rows: pooled over seeds, of the weights that are shipped."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from core.jobs.models import resolve
from core.jobs.study import BENCHMARKS, FAMILY, SEEDS, STUDY_LIMIT
from core.results.tables.published import RECORDED, published_lengths, published_rows
from tests.helpers.book import Book, graded
from training import record_study


def test_a_row_pools_the_seeds(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_study, "FAMILY", {"pocket": ("none",)})
    variant = book.variant()
    about = {"state": "done", "item_limit": 2, "finished": 86_400.0}
    for seed in SEEDS[:-1]:
        for name in BENCHMARKS[:-1]:
            book.run(variant, name, graded(int(seed == 0), 2, words=10 + seed), seed=seed, **about)
        book.run(
            variant,
            BENCHMARKS[-1],
            [{"finish_reason": "stop", "em": 1.0, "f1": 0.5, "answer_words": 3}] * 2,
            seed=seed,
            **about,
        )
    with pytest.raises(SystemExit, match="4 of the study's 12 runs are not done"):
        record_study.recorded(book.reader, 2, models=("pocket",))
    for name in BENCHMARKS[:-1]:
        book.run(variant, name, [*graded(1, words=30), *graded(0, words=40, collapsed=1)], seed=SEEDS[-1], **about)
    book.run(variant, BENCHMARKS[-1], [{"finish_reason": "stop", "em": 0.0, "f1": 0.0, "answer_words": 3}] * 2, seed=2, **about)
    found = record_study.recorded(book.reader, 2, models=("pocket",))
    [row] = found["scores"]
    assert row[BENCHMARKS[0]] == {"n": 6, "accuracy": 50.0, "collapsed": 16.67} and row["average"] == 50.0
    assert row[BENCHMARKS[-1]] == {"n": 6, "em": 66.67, "f1": 33.33, "collapsed": 0.0}
    assert found["lengths"][0]["short"] == {"words": 10.0, "accuracy": 100.0} and found["lengths"][0]["n"] == 6
    assert found["lengths"][0]["long"] == {"words": 40.0, "accuracy": 0.0}
    assert "1970-01-02" in found["sources"][row["source"]]


def test_other_models_keep_their_rows() -> None:
    shipped = json.loads(RECORDED.read_text(encoding="utf-8"))
    one = {"model": "pocket-student", "source": "study of pocket-student", "compression": "none"}
    found = {
        **{"limit": shipped["limit"], "seeds": shipped["seeds"], "scores": [one], "lengths": [one]},
        **{"sources": {one["source"]: "today"}, "weights_sha256": {"pocket-student": "new"}},
    }
    both = record_study.merged(shipped, found)
    assert both["scores"] == [row for row in shipped["scores"] if row["model"] == "pocket"] + [one]
    assert both["sources"] == shipped["sources"] | {one["source"]: "today"}
    assert both["weights_sha256"] == shipped["weights_sha256"] | {"pocket-student": "new"}
    with pytest.raises(SystemExit, match="Record the whole family"):
        record_study.merged(shipped, {**found, "seeds": [0]})


def test_the_shipped_rows_are_of_the_shipped_weights() -> None:
    shipped = json.loads(RECORDED.read_text(encoding="utf-8"))
    hashes = {m: hashlib.sha256((Path(resolve(m).source) / "model.safetensors").read_bytes()).hexdigest() for m in FAMILY}
    assert shipped["weights_sha256"] == hashes
    rows = {(row["model"], row["compression"]): row for row in shipped["scores"]}
    assert set(rows) == {(model, name) for model, compressions in FAMILY.items() for name in compressions}
    asked = shipped["limit"] * len(shipped["seeds"])
    assert asked >= STUDY_LIMIT and all(row[name]["n"] == asked for row in rows.values() for name in BENCHMARKS)


def test_they_stand_beside_ones_own() -> None:
    assert {row["model"] for row in published_rows() if row["edition"] == "study"} == set(FAMILY)
    mini = [row for row in published_lengths(30) if row["edition"] == "study"]
    assert len(mini) == len(BENCHMARKS) * sum(map(len, FAMILY.values()))
    row = next(row for row in published_rows() if row["variant"] == "pocket none")
    cell = row["benchmarks"]["pocket-facts"]
    assert (row["origin"], row["table"]) == ("recorded", 2) and cell["em"] > 50 and cell["n"] >= STUDY_LIMIT
    assert row["passes"] == len(SEEDS) and all(one["questions"] * one["passes"] == one["n"] for one in mini)
