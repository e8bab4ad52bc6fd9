"""Loops: how many outputs collapsed, where, with which period, and how many words stopping them has saved."""

from __future__ import annotations

import sqlite3

from core.results.rows import CollapseCell
from core.results.runs import Run, one_picture, shown_runs
from core.results.stats import Interval, wilson
from core.results.tables.audit import Audit


def collapse_cells(connection: sqlite3.Connection) -> list[CollapseCell]:
    """The `cells` of what `lrm-tui collapse --json` prints: one object for each variant, engine and benchmark.

    {variant, label, engine, benchmark, run, n (finished), collapsed, share (percent), onset_words and period_words (medians
    over the collapsed), words_saved (by stopping; estimated, a sum), tokens_saved (what their limits left to the stopped ones),
    stopped}, and of `core.results.tables.audit`, in percent, {audited, lost, lost_share, corrected}; each share has `_low` and
    `_high`.
    """
    with one_picture(connection):
        runs = shown_runs(connection)
    return [_cell(run) for run in runs if run.summary.finished]


def _cell(run: Run) -> CollapseCell:
    summary, audit = run.summary, Audit.of(run.summary)
    share_low, share_high = _percents(wilson(summary.collapsed, summary.finished))
    lost_low, lost_high = _percents(audit.lost_interval)
    corrected_low, corrected_high = _percents(audit.corrected_interval)
    return {
        "variant": run.variant,
        "label": run.label,
        "engine": run.engine,
        "benchmark": run.benchmark,
        "run": run.run,
        "n": summary.finished,
        "collapsed": summary.collapsed,
        "share": 100 * (summary.collapsed / summary.finished),
        "share_low": share_low,
        "share_high": share_high,
        "onset_words": summary.onset_words,
        "period_words": summary.period_words,
        "words_saved": summary.words_saved,
        "tokens_saved": summary.tokens_saved,
        "stopped": audit.stopped,
        "audited": audit.audited,
        "lost": audit.lost,
        "lost_share": 100 * (audit.lost / audit.audited) if audit.audited else None,
        "lost_share_low": lost_low,
        "lost_share_high": lost_high,
        "corrected": None if audit.corrected is None else 100 * audit.corrected,
        "corrected_low": corrected_low,
        "corrected_high": corrected_high,
    }


def _percents(interval: Interval | None) -> tuple[float, float] | tuple[None, None]:
    return (100 * interval[0], 100 * interval[1]) if interval else (None, None)
