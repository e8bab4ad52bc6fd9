"""Collapse cells of small stores, worked out by hand."""

from __future__ import annotations

import pytest

from core.analysis.loops import collapse_cells
from core.collapse import Detector
from tests.core.analysis.book import LOOP, Book, graded, stopped


def test_share_onset_period_and_words_saved(book: Book) -> None:
    text = "well " * 40 + LOOP * 200
    observed = stopped(finish_reason="length", text=text, loop_onset=200, loop_count=200, thinking_tokens=1_100)
    book.run(book.variant(), "folio", [stopped(), observed, *graded(1, 6), {"collapsed": 1, "state": "active"}])
    [cell] = collapse_cells(book.reader)
    assert cell == {
        **{
            "variant": "pocket none",
            "label": "pocket none",
            "engine": "llama.cpp",
            "benchmark": "folio",
            "n": 8,
            "collapsed": 2,
            "share": 25.0,
        },
        **{"onset_words": 25.0, "period_words": pytest.approx(5.0)},
        "words_saved": pytest.approx(1_000 * (5 / 22) * (226 / 100)),
    }


def test_what_the_detector_says_of_a_loop_gives_its_words(book: Book) -> None:
    text = "It began with many other words. " + LOOP * 100
    detector = Detector(1_024)
    detector.feed(text)
    detector.finish()
    verdict = detector.verdict
    columns = {"loop_onset": verdict.onset, "loop_period": verdict.period, "loop_count": verdict.count}
    book.run(book.variant(), "folio", [stopped(text=text, **columns)])
    [cell] = collapse_cells(book.reader)
    assert (cell["onset_words"], cell["period_words"]) == (6, pytest.approx(5.0, abs=0.1))


def test_a_run_without_loops_has_a_share_of_zero(book: Book) -> None:
    book.run(book.variant(), "folio", graded(1, 4))
    [cell] = collapse_cells(book.reader)
    assert (cell["collapsed"], cell["share"], cell["onset_words"], cell["words_saved"]) == (0, 0.0, None, 0.0)
