"""Loops: how many outputs collapsed, where, with which period, and how many words stopping them has saved."""

from __future__ import annotations

import sqlite3
from typing import Any

from core.results.runs import Run, one_picture, shown_runs
from core.results.stats import Interval, wilson
from core.results.tables.audit import Audit


def collapse_cells(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """The `cells` of what `lrm-tui collapse --json` prints: one object for each variant, engine and benchmark.

    {variant, label, engine, benchmark, run, n (finished), collapsed, share (percent), onset_words and period_words (medians
    over the collapsed), words_saved (by stopping; estimated, a sum), tokens_saved (what their limits left to the stopped ones),
    stopped}, and of `core.results.tables.audit`, in percent, {audited, lost, lost_share, corrected}; each share has `_low` and
    `_high`.
    """
    with one_picture(connection):
        runs = shown_runs(connection)
    return [_cell(run) for run in runs if run.digest.finished]


def _cell(run: Run) -> dict[str, Any]:
    found = run.digest
    return {
        **{name: getattr(run, name) for name in ("variant", "label", "engine", "benchmark", "run")},
        **{"n": found.finished, "collapsed": found.collapsed},
        **_percent("share", found.collapsed / found.finished, wilson(found.collapsed, found.finished)),
        **{name: getattr(found, name) for name in ("onset_words", "period_words", "words_saved", "tokens_saved")},
        **_audit(Audit.of(found)),
    }


def _audit(found: Audit) -> dict[str, Any]:
    counts = {"stopped": found.stopped, "audited": found.audited, "lost": found.lost}
    share = found.lost / found.audited if found.audited else None
    return (
        counts
        | _percent("lost_share", share, found.lost_interval)
        | _percent("corrected", found.corrected, found.corrected_interval)
    )


def _percent(name: str, value: float | None, interval: Interval | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    given = {name: value, f"{name}_low": low, f"{name}_high": high}
    return {key: None if number is None else 100 * number for key, number in given.items()}
