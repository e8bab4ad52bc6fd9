"""Endings that only the other responses of a run can tell: settled when the run ends, or when it was imported.

Where neither the prompt nor the output shows whether thinking was open, the others do: if any of them closes its thinking, one
without a closing mark is thinking throughout, and earns nothing.
"""

from __future__ import annotations

import json
import sqlite3

from benchmarks.base import Item
from benchmarks.parts import split, words
from benchmarks.registry import get
from core.engines.thinking import State
from core.grading.endings import Output, ending
from core.grading.grade import grade_columns, lenient_columns

_THINKS = """
SELECT 1 FROM responses WHERE job_id = ? AND state = 'done' AND answer_start IS NOT NULL AND thinking_words > 0 LIMIT 1
"""
_OPEN = """
SELECT r.id, r.finish_reason, r.collapsed, r.inferred, i.key, i.fields, i.gold, t.text, j.benchmark
FROM responses r JOIN items i ON i.id = r.item_id JOIN jobs j ON j.id = r.job_id
LEFT JOIN response_texts t ON t.response_id = r.id
WHERE r.job_id = ? AND r.state = 'done' AND r.prompt_thinking IS NULL AND r.thinking_words = 0 AND r.answer_start = 0
AND r.finish_reason IN ('stop', 'length')
"""
OPENED: State = "opened"
NEAR = 0.97
"""Share of the longest output's length from which outputs pile up at a limit."""
FINAL = (".", "!", "?", "}", ")", "]", "$", "*", "`", '"', "。", ">", "|")
"""How a text ends that was not cut in the middle of a sentence."""


def settle(connection: sqlite3.Connection, run: int) -> int:
    """Settle the endings of a run within the caller's transaction. Returns how many responses changed."""
    if connection.execute(_THINKS, (run,)).fetchone() is None:
        return 0
    rows = connection.execute(_OPEN, (run,)).fetchall()
    longest = max((len(row["text"] or "") for row in rows), default=0)
    crowded = sum(len(row["text"] or "") >= NEAR * longest for row in rows) > 1
    for row in rows:
        text, state = row["text"] or "", OPENED
        cut = row["inferred"] and (not text.rstrip().endswith(FINAL) or (crowded and len(text) >= NEAR * longest))
        reason = "length" if cut else row["finish_reason"]
        parts = split(text, reason, None, state)
        benchmark, item = get(row["benchmark"]), Item(row["key"], json.loads(row["fields"]), json.loads(row["gold"]))
        grade = grade_columns(benchmark, item, parts.answer, reason)
        ended = ending(Output(text, parts, reason, state, grade["parsed"], bool(row["collapsed"])))
        columns = {
            **grade,
            **lenient_columns(benchmark, item, text, ended),
            **{"ending": ended, "prompt_thinking": state, "answer_start": parts.answer_start, "finish_reason": reason},
            **{"thinking_words": words(parts.thinking), "answer_words": words(parts.answer)},
        }
        sets = ", ".join(f"{name} = :{name}" for name in columns)
        connection.execute(f"UPDATE responses SET {sets} WHERE id = :id", {**columns, "id": row["id"]})
    return len(rows)
