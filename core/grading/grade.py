"""From a finished output to the columns of its row: parts, lengths, grade."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from benchmarks.base import Benchmark, Grade, Item
from benchmarks.parts import split, was_cut, words
from core.collapse import HEALTHY, Verdict
from core.store.columns import GradeColumns, LengthColumns, LoopColumns, OutputColumns, ServerColumns


def columns(
    benchmark: Benchmark, item: Item, text: str, ids: Sequence[int], reason: str, think_end_id: int | None
) -> OutputColumns:
    """The columns that describe a response's text. Lengths are words (split at white space) and engine tokens."""
    parts = split(text, reason)
    thinking_tokens = _thinking_tokens(ids, len(text) - len(parts.answer), len(text), think_end_id, bool(parts.thinking))
    return {
        "finish_reason": reason,
        "answer_start": parts.answer_start,
        "thinking_words": words(parts.thinking),
        "answer_words": words(parts.answer),
        "thinking_tokens": thinking_tokens,
        "answer_tokens": len(ids) - thinking_tokens,
        **grade_columns(benchmark, item, parts.answer, reason),
    }


def grade_columns(benchmark: Benchmark, item: Item, answer: str, reason: str | None) -> GradeColumns:
    """The columns that describe the grade of an answer part; all None for a response that ended in an error."""
    grade = benchmark.grade(answer, item, was_cut(reason)) if reason != "error" else Grade(None)
    extraction = grade.extraction
    return {
        "parsed": extraction.answer if extraction else None,
        "rule": extraction.rule if extraction else None,
        "span_start": extraction.start if extraction else None,
        "span_end": extraction.end if extraction else None,
        "correct": None if grade.correct is None else int(grade.correct),
        "em": grade.em,
        "f1": grade.f1,
        "strict_em": grade.strict_em,
        "strict_f1": grade.strict_f1,
    }


def loop_columns(verdict: Verdict, audit: bool) -> LoopColumns:
    """The columns that describe a response's loop; `audit`: it was drawn to continue after a collapse."""
    suspicious = int(verdict.state == "suspicious")
    if verdict.state != "collapsed":
        verdict = HEALTHY
    return {
        "suspicious": suspicious,
        "collapsed": int(verdict.state == "collapsed"),
        "loop_position": verdict.position,
        "loop_onset": verdict.onset,
        "loop_period": verdict.period,
        "loop_unit": verdict.unit,
        "loop_count": verdict.count,
        "loop_rule": verdict.rule,
        "audited": int(audit) if verdict.state == "collapsed" else None,
    }


def server_columns(usage: Mapping[str, int] | None, empty_replies: int, row: LengthColumns) -> ServerColumns:
    """What a server counted, in place of our count of token ids, which it does not send.

    Where it does not tell reasoning apart, the share of the words in `row` (see `columns`) does.
    """
    columns: ServerColumns = {"empty_replies": empty_replies}
    if usage is None:
        return columns
    columns["usage"] = json.dumps(usage)
    if "prompt_tokens" in usage:
        columns["prompt_tokens"] = usage["prompt_tokens"]
    if "completion_tokens" in usage:
        every = usage["completion_tokens"]
        thinking = row["thinking_words"] / max(1, row["thinking_words"] + row["answer_words"])
        columns["thinking_tokens"] = usage.get("reasoning_tokens") or round(every * thinking)
        columns["answer_tokens"] = every - columns["thinking_tokens"]
    return columns


def _thinking_tokens(ids: Sequence[int], thinking: int, total: int, think_end_id: int | None, thought: bool) -> int:
    """Tokens up to and with the last `</think>`; where that is no single token, the share of the characters."""
    if not thought:
        return 0
    if think_end_id is not None and think_end_id in ids:
        return len(ids) - list(reversed(ids)).index(think_end_id)
    return round(len(ids) * thinking / total) if total else 0
