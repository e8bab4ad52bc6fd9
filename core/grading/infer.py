"""How an output ended of which no log says it: inferred from its text, and from the lengths of the others."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.base import Benchmark, Item
from benchmarks.parts import split, words
from core.collapse import Verdict
from core.grading.endings import broken_off
from core.grading.loops import ends_in_loop

SHORT = 12
"""Words of a line that may state an answer without a full stop."""
NEAR = 0.97
"""Share of the longest output's length from which outputs pile up at a limit."""


def reason_of(benchmark: Benchmark, item: Item, output: str, loop: Verdict, prompt: str | None, limit: int | None) -> str:
    """`length` of an output that ends in a loop, or whose thinking breaks off in a sentence, else `stop`.

    `limit`: the most tokens that it could have, as its log says; None where it does not.
    """
    if not may_be_cut(output, limit):
        return "stop"
    if loop.state == "collapsed" and ends_in_loop(output, loop.position, loop.period):
        return "length"
    parts = split(output, "stop", None, prompt)
    if parts.closed or not broken_off(output):
        return "stop"
    if parts.opened or prompt == "opened":
        return "length"
    return "stop" if prompt is not None or _is_line_of_answer(benchmark, item, output.strip()) else "length"


def _is_line_of_answer(benchmark: Benchmark, item: Item, output: str) -> bool:
    """Whether the last line is short and is all there is, or holds the answer: such a line needs no full stop."""
    before, _, last = output.rpartition("\n")
    if words(last) > SHORT or last.count("**") % 2:
        return False
    extraction = benchmark.grade(output, item).extraction
    return not before or (extraction is not None and extraction.end > len(before))


def may_be_cut(text: str, limit: int | None) -> bool:
    """Whether a text can have met a limit of tokens: not where it has fewer bytes, since a token has one at least."""
    return limit is None or len(text.encode()) >= limit


def was_cut_short(text: str, lengths: Sequence[int], limit: int | None) -> bool:
    """Whether thinking without an end was cut: in a sentence, or where several of the run's `lengths` (characters) pile up."""
    if not may_be_cut(text, limit):
        return False
    longest = NEAR * max(lengths, default=0)
    piled_up = sum(length >= longest for length in lengths) > 1
    return broken_off(text) or (piled_up and len(text) >= longest)
