"""Outputs in the store judged again, and endings that only the other responses of a run can tell.

Where neither the prompt nor the output shows whether thinking was open, the others do: if any of them closes its thinking, one
without a closing mark is thinking throughout, and earns nothing. This is settled when a run ends or was imported, and by
`regrade`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.base import Item
from benchmarks.parts import Parts, closing, split, was_cut
from benchmarks.registry import get
from benchmarks.sentences import refuses
from core.collapse import HEALTHY
from core.engines.thinking import in_text
from core.grading.endings import Output, state_of_prompt
from core.grading.grade import judged
from core.grading.infer import may_be_cut, reason_of, was_cut_short
from core.grading.loops import ends_in_loop
from core.store.columns import JudgedColumns

ROWS = """
SELECT r.*, i.key, i.fields, i.gold, t.text, t.prompt, j.benchmark, j.sampling, j.engine,
       coalesce(r.inferred, j.engine = 'imported') AS unsaid
FROM responses r JOIN items i ON i.id = r.item_id JOIN jobs j ON j.id = r.job_id
LEFT JOIN response_texts t ON t.response_id = r.id
WHERE r.job_id = ? AND r.state = 'done'
"""
"""Finished responses of a run with what judging them again needs; `unsaid`: its log did not say how an output ended."""
_OPEN = """
r.prompt_thinking IS NULL AND r.thinking_words = 0 AND r.answer_start = 0 AND r.finish_reason IN ('stop', 'length')
"""
_UNSAID = "unsaid AND r.prompt_thinking IS NULL AND r.collapsed IS NOT 1"
FEW = 4
"""Outputs from which a run shows that most of its outputs break off."""
_THINKS = """
SELECT 1 FROM responses WHERE job_id = ? AND state = 'done' AND answer_start IS NOT NULL AND thinking_words > 0 LIMIT 1
"""
_LENGTHS = f"""
SELECT length(t.text) FROM responses r JOIN response_texts t ON t.response_id = r.id
WHERE r.job_id = ? AND r.state = 'done' AND {_OPEN}
"""


@dataclass(frozen=True, slots=True)
class Siblings:
    """What the responses of a run tell of each other: whether any closes its thinking, the lengths (characters) of those that
    say nothing of their own, and, where none closes it and no log says how they ended, whether most `break_off`.
    """

    think: bool
    lengths: Sequence[int] = ()
    break_off: bool = False


@dataclass(frozen=True, slots=True)
class _Said:
    """What a run's sampling says of how its outputs could end; of a run of ours the server's own limit is unknown."""

    max_tokens: int | None
    stop: Sequence[str]


def _said(row: sqlite3.Row) -> _Said:
    sampling = json.loads(row["sampling"] or "{}")
    return _Said(sampling.get("max_tokens") if row["engine"] == "imported" else None, sampling.get("stop") or ())


def siblings(connection: sqlite3.Connection, run: int) -> Siblings:
    """What the finished responses of a run tell of each other."""
    if connection.execute(_THINKS, (run,)).fetchone() is None:
        return Siblings(False, break_off=_break_off(connection, run))
    return Siblings(True, [length for (length,) in connection.execute(_LENGTHS, (run,))])


def _break_off(connection: sqlite3.Connection, run: int) -> bool:
    """Whether most outputs of an imported run break off in a sentence, judged by their texts alone."""
    rows = connection.execute(f"{ROWS} AND {_UNSAID}", (run,))
    broken = [
        _reason(row, "stop", None, _said(row)) == "length" for row in rows if state_of_prompt(row["prompt"] or "") is None
    ]
    return most(broken)


def most(broken: Sequence[bool]) -> bool:
    """Whether enough outputs break off to say that the others of their run were cut too."""
    return len(broken) >= FEW and 2 * sum(broken) > len(broken)


def settle(connection: sqlite3.Connection, run: int) -> int:
    """Settle the endings of a run within the caller's transaction. Returns how many responses changed."""
    others = siblings(connection, run)
    if not others.think and not others.break_off:
        return 0
    rows = connection.execute(f"{ROWS} AND {_OPEN}", (run,)).fetchall()
    for row in rows:
        write(connection, row, judged_again(row, others))
    return len(rows)


def judged_again(row: sqlite3.Row, others: Siblings) -> JudgedColumns:
    """The columns of a row of `ROWS` by the rules of today."""
    text, reason = row["text"] or "", row["finish_reason"]
    prompt = row["prompt_thinking"] or state_of_prompt(row["prompt"] or "")
    sampling = _said(row)
    if row["inferred"] and reason == "length" and not may_be_cut(text, sampling.max_tokens):
        reason = "stop"
    if row["unsaid"] and reason == "stop":
        reason = _reason(row, reason, prompt, sampling)
    parts = _parts(text, reason, row["answer_start"], prompt)
    looping = bool(row["collapsed"]) and was_cut(reason) and ends_in_loop(text, row["loop_position"], row["loop_period"])
    start = row["answer_start"]
    in_words = start is not None and refuses(in_text(text).trimmed(text[start:]))
    filtered = row["ending"] == "refused" and not in_words
    output = Output(text, parts, reason, prompt, looping, filtered, sampling.stop, sampling.max_tokens)
    output = among(others, output, bool(row["unsaid"]))
    return judged(get(row["benchmark"]), _item(row), output)


def among(others: Siblings, output: Output, unsaid: bool) -> Output:
    """An output as its siblings show it, where it says nothing of its own; `unsaid`: no log says how it ended."""
    parts, text, reason = output.parts, output.text, output.reason
    known = output.prompt is not None or parts.closed or parts.opened or reason not in ("stop", "length")
    if known or not text.strip():
        return output
    if others.think:
        reason = "length" if unsaid and was_cut_short(text, others.lengths, output.limit) else reason
        return replace(output, reason=reason, prompt="opened", parts=split(text, reason, None, "opened"))
    if others.break_off and unsaid:
        return replace(output, reason="length", parts=split(text, "length"))
    return output


def _reason(row: sqlite3.Row, reason: str, prompt: str | None, said: _Said) -> str:
    """How an output ended whose log does not say it; one that loops was seen to when it was imported."""
    inferred = reason_of(get(row["benchmark"]), _item(row), row["text"] or "", HEALTHY, prompt, said.max_tokens)
    return inferred if row["text"] else reason


def _item(row: sqlite3.Row) -> Item:
    return Item(row["key"], json.loads(row["fields"]), json.loads(row["gold"]))


def _parts(text: str, reason: str | None, start: int | None, prompt: str | None) -> Parts:
    """The output split again; where its text shows no family, the mark that its engine knew stays where it was."""
    parts = split(text, reason, None, prompt)
    marks = in_text(text)
    if parts.closed or not start or closing(text, marks) is not None:
        return parts
    return Parts(text[:start], marks.trimmed(text[start:]), start, parts.opened, closed=True)


def write(connection: sqlite3.Connection, row: sqlite3.Row, columns: JudgedColumns) -> None:
    """Write the columns of a row; where its thinking ends elsewhere now, its tokens are shared out by characters."""
    values: dict[str, object] = {**columns, "id": row["id"]}
    if columns["answer_start"] != row["answer_start"] and row["thinking_tokens"] is not None:
        text, start = row["text"] or "", columns["answer_start"]
        tokens = row["thinking_tokens"] + row["answer_tokens"]
        thinking = tokens if start is None else round(tokens * start / max(1, len(text)))
        values |= {"thinking_tokens": thinking, "answer_tokens": tokens - thinking}
    sets = ", ".join(f"{name} = :{name}" for name in values if name != "id")
    connection.execute(f"UPDATE responses SET {sets} WHERE id = :id", values)
