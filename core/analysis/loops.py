"""Loops: how many outputs collapsed, where, with which period, and how many words stopping them has saved."""

from __future__ import annotations

import sqlite3
from typing import Any

import pandas as pd

from benchmarks.parts import words
from benchmarks.registry import get
from core.analysis.audit import Audit
from core.analysis.intervals import Interval
from core.analysis.runs import finished_responses, one_picture, plain, shown_runs


def words_ahead(responses: pd.DataFrame) -> pd.Series[float]:
    """How many words each response would have added up to its token limit; 0 unless it was stopped for repetition.

    The tokens that were left, times the words per token of its loop. The loop's words per character are counted; its
    tokens per character are taken from the whole output, because tokens are stored for that only.
    """
    ahead = [_words_ahead(row) if row["reason"] == "repetition" else 0.0 for row in responses.to_dict("records")]
    return pd.Series(ahead, index=responses.index, dtype=float)


def _words_ahead(row: dict[Any, Any]) -> float:
    tokens = int(row["tokens"])
    if pd.isna(row["token_limit"]) or tokens == 0:
        return 0.0
    left = max(0.0, float(row["token_limit"]) - tokens)
    density = _words_per_character(row)
    per_token = row["words"] / tokens if density is None else density * len(row["text"]) / tokens
    return left * per_token


def _words_per_character(row: dict[Any, Any]) -> float | None:
    """In the loop of a response; None where it is not known."""
    if pd.isna(row["text"]) or pd.isna(row["loop_onset"]) or pd.isna(row["loop_period"]):
        return None
    rounds = 1 if pd.isna(row["loop_count"]) else max(1, int(row["loop_count"]))
    onset = int(row["loop_onset"])
    stretch = row["text"][onset : onset + rounds * int(row["loop_period"])]
    return words(stretch) / len(stretch) if stretch else None


def collapse(connection: sqlite3.Connection) -> pd.DataFrame:
    """One row for each variant, engine and benchmark that has finished responses.

    Columns: `variant`, `label`, `engine`, `benchmark`, `n` (finished), `collapsed`, `share` (percent), `onset_words` and
    `period_words` (medians over the collapsed), `words_saved` (by stopping; estimated, a sum), `tokens_saved` (what their
    limits left to the stopped ones), `stopped`, and of `core.analysis.audit`, in percent: `audited`, `lost`, `lost_share`,
    `corrected`, each share with `_low` and `_high`.
    """
    with one_picture(connection):
        runs = shown_runs(connection)
        runs = runs[runs["finished"] > 0]
        responses = finished_responses(connection, [int(run) for run in runs["run"]])
    by_run = dict(iter(responses.groupby("run")))
    rows = [
        {name: run[name] for name in ("variant", "label", "engine", "benchmark")}
        | _cell(by_run[run["run"]])
        | _audit(by_run[run["run"]], run["benchmark"])
        for run in runs.to_dict("records")
    ]
    return pd.DataFrame(rows, columns=["variant", "label", "engine", "benchmark", *_CELL, *_AUDIT])


_CELL = ["n", "collapsed", "share", "onset_words", "period_words", "words_saved", "tokens_saved"]
_AUDIT = ["stopped", "audited", "lost", "lost_share", "lost_share_low", "lost_share_high"]
_AUDIT += ["corrected", "corrected_low", "corrected_high"]


def _cell(responses: pd.DataFrame) -> dict[str, Any]:
    looped = responses[responses["collapsed"] == 1]
    known = [row for row in looped.to_dict("records") if _words_per_character(row) is not None]
    onsets = [words(row["text"][: int(row["loop_onset"])]) for row in known]
    periods = [(_words_per_character(row) or 0.0) * row["loop_period"] for row in known]
    return {
        "n": len(responses),
        "collapsed": len(looped),
        "share": 100 * len(looped) / len(responses),
        "onset_words": pd.Series(onsets, dtype=float).median(),
        "period_words": pd.Series(periods, dtype=float).median(),
        "words_saved": float(words_ahead(responses).sum()),
        "tokens_saved": int(_tokens_ahead(responses).sum()),
    }


def _tokens_ahead(responses: pd.DataFrame) -> pd.Series[float]:
    stopped = responses[responses["reason"] == "repetition"]
    return (stopped["token_limit"] - stopped["tokens"]).fillna(0.0).clip(lower=0.0)


def _audit(responses: pd.DataFrame, benchmark: str) -> dict[str, Any]:
    found = Audit.of(responses, "correct" if get(benchmark).metric == "accuracy" else "em")
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


def collapse_cells(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """The `cells` of what `lrm-tui collapse --json` prints."""
    return [{str(k): plain(v) for k, v in row.items()} for row in collapse(connection).to_dict("records")]
