"""Summaries are a cache: a cached one equals a computed one, and goes with any change of a response."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.results.run_summary import RunSummary, summarise
from core.results.summary_cache import cache_ended, cache_missing, cached, responses_of
from core.results.tables.collapse_points import points
from core.results.tables.findings import findings
from core.results.tables.lengths import deciles_rows, lengths_rows
from core.results.tables.loops import collapse_cells
from core.results.tables.scores import scores_rows
from tests.helpers.book import Book, graded, stopped


def tables(reader: sqlite3.Connection) -> list[Any]:
    ends = [lengths_rows(reader, q) for q in (20, 30, 50)]
    return [scores_rows(reader), *ends, deciles_rows(reader), collapse_cells(reader), points(reader), findings(reader)]


def fill(book: Book) -> list[int]:
    f1 = [{"finish_reason": "stop", "parsed": "x", "em": float(i % 3 == 0), "f1": i / 9, "answer_words": i} for i in range(9)]
    runs = []
    for compression, right in (("none", 9), ("sparsegpt-50", 2)):
        variant = book.variant(compression)
        responses = [*graded(1, right), *graded(0, 12 - right, words=40), stopped(audited=0), {"finish_reason": "error"}]
        runs += [book.run(variant, "aime", responses, state="done"), book.run(variant, "musique", f1, state="done")]
    return runs


def test_tables_from_cached_summaries_equal_those_computed_from_the_responses(book: Book) -> None:
    runs = fill(book)
    computed = tables(book.reader)
    cache_ended(book.writer)
    assert sorted(cached(book.reader)) == runs
    assert tables(book.reader) == computed


def test_a_run_under_way_has_none(book: Book) -> None:
    running = book.run(book.variant(), "aime", [*graded(1, 3), {}], state="running")
    cache_ended(book.writer)
    assert running not in cached(book.reader)
    assert scores_rows(book.reader)[0]["benchmarks"]["aime"]["finished"] == 3


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE responses SET correct = 0, parsed = 'other' WHERE id = 1",
        "DELETE FROM responses WHERE id = 1",
        "INSERT INTO responses (job_id, item_id, position, seed) VALUES (1, 99, 99, 0)",
    ],
)
def test_any_change_of_a_response_drops_the_summary_of_its_run_alone(book: Book, change: str) -> None:
    first, *others = fill(book)
    book.insert("items", id=99, benchmark="aime", key="99", revision="r", fields="{}", gold="[]")
    cache_ended(book.writer)
    before = scores_rows(book.reader)
    book.writer.execute(change)
    assert sorted(cached(book.reader)) == others
    after = scores_rows(book.reader)
    assert after != before and after[1:] == before[1:]
    cache_ended(book.writer)
    assert sorted(cached(book.reader)) == [first, *others] and scores_rows(book.reader) == after


def test_summaries_of_another_version_are_computed_again(book: Book) -> None:
    runs = fill(book)
    cache_ended(book.writer)
    book.writer.execute("UPDATE run_digests SET version = 0, summary = 'old'")
    assert cached(book.reader) == {}
    assert scores_rows(book.reader)
    cache_ended(book.writer)
    assert sorted(cached(book.reader)) == runs


def test_progress_tells_how_many_are_made_of_how_many(book: Book) -> None:
    fill(book)
    told: list[tuple[int, int]] = []
    cache_missing(book.path, lambda done, total: told.append((done, total)))
    cache_missing(book.path, lambda done, total: told.append((done, total)))
    assert told[-1] == (4, 4) and len(cached(book.reader)) == 4


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_that_takes_no_writing_is_left_alone(book: Book) -> None:
    fill(book)
    book.path.parent.chmod(0o500)
    try:
        cache_missing(book.path)
    finally:
        book.path.parent.chmod(0o700)
    assert cached(book.reader) == {}


def test_where_there_is_no_store_nothing_is_made(tmp_path: Path) -> None:
    cache_missing(tmp_path / "none.db")
    assert not list(tmp_path.iterdir())


responses = st.fixed_dictionaries(
    {
        "finish_reason": st.sampled_from(["stop", "length", "repetition", "error"]),
        "parsed": st.sampled_from([None, "A"]),
        "correct": st.sampled_from([0, 1, None]),
        "thinking_words": st.integers(0, 50_000) | st.none(),
        "answer_words": st.integers(0, 100) | st.none(),
        "collapsed": st.sampled_from([0, 1, None]),
        "audited": st.sampled_from([0, 1, None]),
    }
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(responses, max_size=12), st.integers(1, 3))
def test_a_summary_survives_the_store_to_the_last_digit(book: Book, given: list[dict[str, Any]], samples: int) -> None:
    run = book.run(book.variant(f"v{book.writer.total_changes}"), "aime", [], state="done")
    for at, row in enumerate(given):
        place = {"job_id": run, "item_id": book._item("aime", at // samples), "position": at // samples, "seed": 0}
        book.insert("responses", **place, sample=at % samples, state="done", **row)
    summary, rows = summarise(book.reader, run, "aime")
    assert RunSummary.loaded(summary.dumped()).dumped() == summary.dumped()
    assert summary.finished == sum(row["finish_reason"] != "error" for row in given) == len(rows)
    cache_ended(book.writer)
    assert np.array_equal(responses_of(book.reader, [(run, "aime")])[run], rows)
    assert sum(rows["score"]) == summary.credit <= summary.finished
