"""From a finished output to the columns of its row: parts, lengths, grade."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.base import Benchmark, Grade, Item
from benchmarks.parts import split, was_cut, words
from benchmarks.sentences import refuses
from core.collapse import HEALTHY, Verdict
from core.engines.thinking import Marks
from core.grading.endings import Ending, Output, ending
from core.grading.loops import ends_in_loop
from core.store.columns import GradeColumns, JudgedColumns, LenientColumns, LoopColumns, OutputColumns, ServerColumns


@dataclass(frozen=True, slots=True)
class Thinking:
    """What an engine said of a response's thinking: the marks of the model, the tokens of the closing one, and where the
    prompt left the thinking. None where only the text can tell.
    """

    marks: Marks | None = None
    close_ids: tuple[int, ...] = ()
    prompt: str | None = None


UNKNOWN = Thinking()


def columns(
    benchmark: Benchmark,
    item: Item,
    text: str,
    ids: Sequence[int],
    reason: str,
    thinking: Thinking = UNKNOWN,
    *,
    loop: Verdict = HEALTHY,
    filtered: bool = False,
    stops: Sequence[str] = (),
) -> OutputColumns:
    """The columns that describe a response's text. Lengths are words (split at white space) and engine tokens.

    `loop` is the detector's verdict; `filtered` and `stops` are as in `endings.Output`.
    """
    looping = loop.state == "collapsed" and was_cut(reason) and ends_in_loop(text, loop.position, loop.period)
    parts = split(text, reason, thinking.marks, thinking.prompt)
    judged_columns = judged(benchmark, item, Output(text, parts, reason, thinking.prompt, looping, filtered, stops))
    before = len(text) if parts.answer_start is None else parts.answer_start
    thinking_tokens = _thinking_tokens(ids, before, len(text), thinking.close_ids, bool(parts.thinking))
    return {**judged_columns, "thinking_tokens": thinking_tokens, "answer_tokens": len(ids) - thinking_tokens}


def judged(benchmark: Benchmark, item: Item, output: Output) -> JudgedColumns:
    """The columns that the text of an output alone tells: its parts, how it ended, its grade."""
    parts = output.parts
    grade = grade_columns(benchmark, item, "" if output.filtered else parts.answer, output.reason)
    ended = ending(output, grade["parsed"], refuses(parts.answer))
    return {
        "finish_reason": output.reason,
        "ending": ended,
        "prompt_thinking": output.prompt,
        "answer_start": parts.answer_start,
        "thinking_words": words(parts.thinking),
        "answer_words": words(parts.answer),
        **lenient_columns(benchmark, item, output.text, ended),
        **grade,
    }


def lenient_columns(benchmark: Benchmark, item: Item, text: str, ended: Ending | None) -> LenientColumns:
    """The grade of an output that ended within its thinking, as if all of it were the answer; None for any other."""
    if ended != "ended_in_thinking":
        return {"lenient_credit": None, "lenient_score": None}
    grade = benchmark.grade(text, item)
    credit = grade.em if grade.correct is None else float(grade.correct)
    return {"lenient_credit": credit, "lenient_score": credit if grade.f1 is None else grade.f1}


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


def server_columns(usage: Mapping[str, int] | None, empty_replies: int, row: OutputColumns) -> ServerColumns:
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


def _thinking_tokens(ids: Sequence[int], thinking: int, total: int, close_ids: tuple[int, ...], thought: bool) -> int:
    """Tokens up to and with the last closing mark; where its tokens are not among them, the share of the characters."""
    if not thought:
        return 0
    size = len(close_ids)
    for end in range(len(ids), size - 1, -1) if size else ():
        if ids[end - 1] == close_ids[-1] and tuple(ids[end - size : end]) == close_ids:
            return end
    return round(len(ids) * thinking / total) if total else 0
