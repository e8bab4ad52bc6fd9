"""The finished responses of runs as packed numbers, from which every table computes.

A response is finished when it ended by itself, at its limit, or was stopped for repetition. One that was stopped counts as
wrong, whatever it contains. A verdict by hand replaces the grader's in accuracy, EM and F1 (all or nothing); the strict scores
stay the grader's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from core.grading.endings import ENDINGS
from core.results.loop_words import Looped

FINISHED = "coalesce(r.finish_reason IN ('stop', 'length', 'repetition'), 0)"
_SCORED = "coalesce(r.finish_reason IN ('stop', 'length'), 0)"
CREDIT = f"{_SCORED} * coalesce(r.hand, r.correct, r.em, 0.0)"
SCORE = f"{_SCORED} * coalesce(r.hand, r.f1, r.correct, 0.0)"
LENIENT = f"{_SCORED} * coalesce(r.hand, r.lenient_score, r.f1, r.correct, 0.0)"
_ENDING = "CASE r.ending " + " ".join(f"WHEN '{name}' THEN {at}" for at, name in enumerate(ENDINGS)) + " ELSE -1 END"
_TOKENS = "coalesce(r.thinking_tokens + r.answer_tokens, r.thinking_tokens, r.answer_tokens)"

ROW = np.dtype(
    [
        ("item", "<i4"), ("thinking", "<i4"), ("answer", "<i4"), ("choice", "<i8"), ("tokens_ahead", "<i4"),
        ("tokens", "<i4"), ("limit", "<i4"), ("ending", "<i1"), ("counted", "?"),
        ("censored", "?"), ("stopped", "?"), ("unparsed", "?"), ("by_hand", "?"), ("collapsed", "?"), ("audited", "?"),
        ("ahead", "<f8"), ("onset", "<f4"), ("period", "<f4"),
        ("score", "<f8"), ("credit", "<f8"), ("strict_em", "<f4"), ("strict_f1", "<f4"), ("lenient", "<f8"),
    ]
)  # fmt: skip
"""A finished response: the number of its question; words of thinking and answer; a number for the answer that was read (-1:
none); tokens and words (`ahead`) that a stopped one would have added up to its token limit; whether it was cut before its own
end (`censored`), stopped for repetition, unparsed, judged by hand, collapsed, let run on (`audited`); where its loop begins and
how long a round is, in words (NaN: unknown); `score` (correct, or F1) and `credit` (correct, or EM), each 0 to 1. `tokens` of
thinking and answer, words where no tokens were `counted`; its `limit` of tokens (0: unknown); `ending`, a place in ENDINGS (-1:
never settled); `lenient`: the score with the lenient one of what ended in its thinking."""


@dataclass(frozen=True, slots=True)
class Planned:
    """How many responses of how many questions runs ask for; how many failed or were cancelled, and of them the errors."""

    responses: int
    questions: int
    failed: int
    errors: int


def planned_of(connection: sqlite3.Connection, runs: Sequence[int]) -> Planned:
    """What runs ask for together."""
    return Planned(*connection.execute(_PLANNED, (json.dumps(list(runs)),)).fetchone())


def read_responses(connection: sqlite3.Connection, run: int) -> tuple[Planned, np.ndarray]:
    """What a run asks for, and its finished responses, an array of dtype `ROW`, [responses]."""
    cursor = connection.cursor()
    cursor.row_factory = None
    read = cursor.execute(_RESPONSES, (run,)).fetchall()
    rows = np.zeros(len(read), dtype=ROW)
    rows["onset"] = rows["period"] = np.nan
    if read:
        numbers, parsed, *columns = zip(*read, strict=True)
        for name, values in zip(_COLUMNS, columns, strict=True):
            rows[name] = values
        rows["choice"] = [-1 if answer is None else crc32(answer.encode()) for answer in parsed]
        places = {number: place for place, number in enumerate(numbers)}
        for number, *loop in cursor.execute(_LOOPED, (run,)):
            looped, place = Looped(*loop), places[number]
            rows["ahead"][place], rows["tokens_ahead"][place] = looped.words_ahead, looped.tokens_ahead
            if looped.onset_words is not None:
                rows["onset"][place] = looped.onset_words
            if looped.period_words is not None:
                rows["period"][place] = looped.period_words
    return planned_of(connection, [run]), rows


_COLUMNS = (
    "item", "thinking", "answer", "censored", "stopped", "unparsed", "by_hand", "collapsed", "audited", "score", "credit",
    "strict_em", "strict_f1", "tokens", "limit", "ending", "counted", "lenient",
)  # fmt: skip

_PLANNED = """
SELECT count(*), count(DISTINCT item_id), coalesce(sum(finish_reason IN ('error', 'cancelled')), 0),
       coalesce(sum(finish_reason = 'error'), 0)
FROM responses WHERE job_id IN (SELECT value FROM json_each(?))
"""

_RESPONSES = f"""
SELECT r.id, r.parsed, r.item_id, coalesce(r.thinking_words, 0), coalesce(r.answer_words, 0), r.finish_reason <> 'stop',
       r.finish_reason = 'repetition', r.parsed IS NULL, r.hand IS NOT NULL, coalesce(r.collapsed, 0), coalesce(r.audited, 0),
       {SCORE}, {CREDIT}, {_SCORED} * coalesce(r.strict_em, 0.0), {_SCORED} * coalesce(r.strict_f1, 0.0),
       coalesce({_TOKENS}, coalesce(r.thinking_words, 0) + coalesce(r.answer_words, 0)), coalesce(r.token_limit, 0), {_ENDING},
       {_TOKENS} IS NOT NULL, {LENIENT}
FROM responses r WHERE r.job_id = ? AND {FINISHED} ORDER BY r.position, r.sample
"""

_LOOPED = f"""
SELECT r.id, r.finish_reason = 'repetition', coalesce(r.thinking_words, 0) + coalesce(r.answer_words, 0),
       coalesce(r.thinking_tokens, 0) + coalesce(r.answer_tokens, 0), r.token_limit, r.loop_onset, r.loop_period,
       r.loop_count, t.text
FROM responses r LEFT JOIN response_texts t ON t.response_id = r.id
WHERE r.job_id = ? AND {FINISHED} AND (r.collapsed = 1 OR r.finish_reason = 'repetition')
"""
