"""Collapse cells of small stores, worked out by hand."""

from __future__ import annotations

import random

import pytest

from core.collapse import Detector
from core.results.show.sheets import counts
from core.results.tables.audit import Audit
from core.results.tables.loops import collapse_cells
from core.results.tables.scores import scores_rows
from tests.helpers.book import LOOP, Book, Counted, graded, stopped

AUDIT = (
    "stopped",
    "audited",
    "lost",
    "share_low",
    "share_high",
    *(f"{name}{end}" for name in ("lost_share", "corrected") for end in ("", "_low", "_high")),
)


def test_share_onset_period_and_words_saved(book: Book) -> None:
    text = "well " * 40 + LOOP * 200
    observed = stopped(finish_reason="length", text=text, loop_onset=200, loop_count=200, thinking_tokens=1_100)
    book.run(book.variant(), "folio", [stopped(), observed, *graded(1, 6), {"collapsed": 1, "state": "active"}])
    [cell] = collapse_cells(book.reader)
    assert {name: value for name, value in cell.items() if name not in AUDIT} == {
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
        "tokens_saved": 1_000,
        "run": 1,
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


def test_the_audit_tells_what_stopping_lost_and_corrects_the_score(book: Book) -> None:
    """80 healthy ones of which 60 are correct; 16 stopped; 4 let run on, of which one answers correctly."""
    ran_on = [stopped(finish_reason="stop" if correct else "length", correct=correct, audited=1) for correct in (1, 0, 0, 0)]
    responses = [*graded(1, 60), *graded(0, 20), *(stopped(audited=0) for _ in range(16)), *ran_on]
    book.run(book.variant(), "folio", responses)
    [cell] = collapse_cells(book.reader)
    assert (cell["stopped"], cell["audited"], cell["lost"], cell["lost_share"]) == (16, 4, 1, 25.0)
    assert cell["lost_share_low"] == pytest.approx(4.6, abs=0.1) and cell["lost_share_high"] == pytest.approx(69.9, abs=0.1)
    assert cell["corrected"] == pytest.approx(100 * (60 + 20 / 4) / 100)
    assert cell["corrected_low"] < 61 and cell["corrected_high"] > 72


def test_without_an_audit_nothing_is_known_of_the_stopped(book: Book) -> None:
    book.run(book.variant(), "folio", [*graded(1, 9), stopped(audited=0)])
    [cell] = collapse_cells(book.reader)
    assert (cell["stopped"], cell["audited"], cell["lost_share"], cell["corrected"]) == (1, 0, None, None)


def test_where_all_run_on_the_corrected_score_is_the_score(book: Book) -> None:
    ran_on = [stopped(finish_reason="length", correct=0, audited=1), stopped(finish_reason="stop", correct=1, audited=1)]
    book.run(book.variant(), "folio", [*graded(1, 6), *graded(0, 2), *ran_on])
    [cell] = collapse_cells(book.reader)
    assert (cell["lost"], cell["audited"], cell["corrected"]) == (1, 2, pytest.approx(70.0))


def test_the_interval_of_the_audit_covers_the_truth() -> None:
    """Of 100 outcomes 30 collapse, of which a fifth would recover; a drawn third of those runs on."""
    draw, covered, trials = random.Random(5), 0, 400
    for _ in range(trials):
        healthy = [draw.random() < 0.7 for _ in range(70)]
        loops = [(draw.random() < 0.2, draw.random() < 1 / 3) for _ in range(30)]
        truth = (sum(healthy) + sum(correct for correct, _ in loops)) / 100
        audited = [correct for correct, drawn in loops if drawn]
        found = Audit.of(Counted(100, 30 - len(audited), 30, len(audited), sum(healthy), sum(audited)))
        assert found.corrected_interval is not None
        covered += found.corrected_interval[0] <= truth <= found.corrected_interval[1]
    assert covered >= 0.95 * trials


def test_the_score_table_has_the_corrected_estimate_beside_the_score(book: Book) -> None:
    ran_on = [stopped(finish_reason="stop", correct=1, audited=1), stopped(finish_reason="length", correct=0, audited=1)]
    book.run(book.variant(), "folio", [*graded(1, 6), stopped(audited=0), stopped(audited=0), *ran_on])
    [row] = scores_rows(book.reader)
    cell = row["benchmarks"]["folio"]
    assert (cell["accuracy"], cell["stopped"], cell["corrected"]) == (pytest.approx(70.0), 2, pytest.approx(80.0))
    assert cell["corrected_ci"][0] < 80 < cell["corrected_ci"][1]
    assert "2 stopped" in counts(cell) and any(note.startswith("corrected 80.0 (") for note in counts(cell))
