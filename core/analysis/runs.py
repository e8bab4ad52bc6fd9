"""Which runs the tables speak of, and their finished responses.

A variant may have been run on a benchmark more than once (other seeds, limits, fewer questions). The tables show one
run for each variant, engine and benchmark: the one with the most finished responses, of equals the newest. Runs are
never pooled, because responses under different settings are no sample of one thing.

A response is finished when it ended by itself, at its limit or by being stopped for repetition. One that was stopped
for repetition counts as wrong, whatever stood in it.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd

from benchmarks.registry import names

KEY = ["variant_id", "engine", "benchmark"]

# In SQL over `responses r`: what counts as finished, as failed, and what may score.
FINISHED = "coalesce(r.finish_reason IN ('stop', 'length', 'repetition'), 0)"
_FAILED = "coalesce(r.finish_reason IN ('error', 'cancelled'), 0)"
SCORED = "coalesce(r.finish_reason IN ('stop', 'length'), 0)"

_RUNS = f"""
SELECT j.id AS run, j.variant_id, m.name || ' ' || v.compression AS variant, m.name AS model, m.family, v.parameters,
       v.compression, v.format, v.bytes, v.bits_per_weight, 100 * v.sparsity AS sparsity, j.engine, j.benchmark, j.created,
       CASE j.engine WHEN 'imported' THEN 'imported' ELSE 'measured' END AS origin,
       max(r.sample) AS last_sample, count(*) AS n, sum({FINISHED}) AS finished, sum({_FAILED}) AS failed,
       sum({FINISHED} AND r.parsed IS NULL) AS unparsed,
       coalesce(sum({SCORED} * r.correct), 0) AS correct, coalesce(sum({SCORED} * r.em), 0.0) AS em,
       coalesce(sum({SCORED} * r.strict_em), 0.0) AS strict_em,
       coalesce(sum({SCORED} * r.strict_f1), 0.0) AS strict_f1
FROM responses r
JOIN jobs j ON j.id = r.job_id
JOIN variants v ON v.id = j.variant_id
JOIN models m ON m.id = v.model_id
WHERE j.kind = 'run' AND (:run IS NULL OR j.id = :run)
GROUP BY j.id
"""

_F1 = f"""
SELECT r.job_id AS run, {SCORED} * coalesce(r.f1, 0.0) AS f1, count(*) AS responses
FROM responses r WHERE {FINISHED} AND r.job_id IN (SELECT value FROM json_each(?))
GROUP BY 1, 2
"""

_QUESTIONS = f"""
SELECT r.job_id AS run, r.item_id AS item, count(*) AS n, sum({SCORED} * coalesce(r.correct, 0)) AS correct,
       sum({SCORED} * coalesce(r.em, 0.0)) AS em, sum({SCORED} * coalesce(r.f1, 0.0)) AS f1
FROM responses r WHERE {FINISHED} AND r.job_id IN (SELECT value FROM json_each(?))
GROUP BY 1, 2
"""

_SAMPLES = f"""
SELECT r.job_id AS run, r.item_id AS item, {SCORED} * coalesce(r.correct, r.em = 1, 0) AS correct,
       coalesce(r.thinking_words, 0) + coalesce(r.answer_words, 0) AS words
FROM responses r WHERE {FINISHED} AND r.job_id IN (SELECT value FROM json_each(?))
"""

_RESPONSES = f"""
SELECT r.job_id AS run, r.finish_reason AS reason, r.token_limit,
       r.collapsed, r.audited, r.loop_onset, r.loop_period, r.loop_count, t.text,
       coalesce(r.thinking_words, 0) AS thinking, coalesce(r.answer_words, 0) AS answer,
       coalesce(r.thinking_words, 0) + coalesce(r.answer_words, 0) AS words,
       coalesce(r.thinking_tokens, 0) + coalesce(r.answer_tokens, 0) AS tokens,
       {SCORED} * coalesce(r.correct, 0) AS correct, {SCORED} * coalesce(r.em, 0.0) AS em,
       {SCORED} * coalesce(r.f1, 0.0) AS f1
FROM responses r
LEFT JOIN response_texts t ON t.response_id = r.id AND (r.collapsed = 1 OR r.finish_reason = 'repetition')
WHERE {FINISHED} AND r.job_id IN (SELECT value FROM json_each(?))
ORDER BY r.job_id, r.position, r.sample
"""


@contextmanager
def one_picture(connection: sqlite3.Connection) -> Iterator[None]:
    """Several queries over one state of the store, even while the runner writes."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def shown_runs(connection: sqlite3.Connection, run: int | None = None) -> pd.DataFrame:
    """The run of each variant, engine and benchmark that the tables show, with its counts; or one run by its number.

    `label` is the variant's name, with its engine where it ran on several. `sparsity` is in percent of the weights;
    `correct`, `em`, `strict_em` and `strict_f1` are sums over the finished responses. Rows go by family, model, falling
    bits, rising sparsity, then by the order of the benchmarks.
    """
    runs = pd.read_sql_query(_RUNS, connection, params={"run": run}).sort_values(["finished", "created", "run"])
    runs = runs.drop_duplicates(KEY, keep="last").astype({"parameters": "Int64"})
    several = runs.groupby("variant")["engine"].transform("nunique") > 1
    runs["label"] = runs["variant"].where(~several, runs["variant"] + " (" + runs["engine"] + ")")
    order = {name: place for place, name in enumerate(names())}
    return (
        runs.assign(
            place=runs["benchmark"].map(order),
            saved=-runs["bits_per_weight"].astype(float),
            pruned=runs["sparsity"].astype(float).fillna(0.0),
        )
        .sort_values(["family", "model", "saved", "pruned", "variant_id", "engine", "place"])
        .drop(columns=["place", "saved", "pruned", "created"])
        .reset_index(drop=True)
    )


def f1_values(connection: sqlite3.Connection, runs: list[int]) -> pd.DataFrame:
    """How many finished `responses` of each run have each `f1`."""
    return pd.read_sql_query(_F1, connection, params=(str(runs),))


def by_question(connection: sqlite3.Connection, runs: list[int]) -> pd.DataFrame:
    """For each run and question the finished responses `n`, and the sums `correct`, `em` and `f1`."""
    return pd.read_sql_query(_QUESTIONS, connection, params=(str(runs),))


def samples(connection: sqlite3.Connection, runs: list[int]) -> pd.DataFrame:
    """Each finished response of some runs: `run`, `item`, whether it is `correct` (or matches exactly), and its `words`."""
    return pd.read_sql_query(_SAMPLES, connection, params=(str(runs),))


def finished_responses(connection: sqlite3.Connection, runs: list[int]) -> pd.DataFrame:
    """The finished responses of some runs, with their texts where a loop was seen."""
    return pd.read_sql_query(_RESPONSES, connection, params=(str(runs),))


def plain(value: object) -> str | int | float | None:
    """A cell of a DataFrame as JSON knows it: None for what is missing, Python's own numbers for numpy's."""
    if value is None or value is pd.NA or isinstance(value, str):
        return value if isinstance(value, str) else None
    number = value.item() if isinstance(value, np.generic) else value
    assert isinstance(number, int | float)
    return None if math.isnan(number) else number
