"""Questions that compression flipped, with both texts: what a loss or a gain of the score looks like."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import zip_longest

import numpy as np

from core.results.questions import Questions
from core.results.rows import Flip, FlipSide
from core.results.runs import Run, one_picture, responses_of, shown_runs
from core.results.tables.compare import HALF
from core.results.tables.recovery import dense_pairs

SHOWN = 1_500
"""Characters of a text, its last ones: they hold the answer and what led to it."""

_SIDE = f"""
SELECT r.id, r.parsed, r.ending, r.thinking_words + r.answer_words AS words, length(t.text) AS characters,
       substr(t.text, -{SHOWN}) AS text, i.key, i.fields, i.gold
FROM responses r JOIN items i ON i.id = r.item_id LEFT JOIN response_texts t ON t.response_id = r.id
WHERE r.item_id = ? AND r.state = 'done' AND r.job_id IN (SELECT value FROM json_each(?))
ORDER BY coalesce(r.correct, r.em) = ? DESC, r.sample LIMIT 1
"""


def flips(connection: sqlite3.Connection, count: int = 10) -> list[Flip]:
    """Up to so many questions on which a compressed variant and its dense model differ, in turn from every pair asked alike.

    A question is right where most of its samples are; shown is a sample of that outcome. Losses and gains take turns, and a
    question that was shown already waits.
    """
    with one_picture(connection):
        pairs = dense_pairs(run for run in shown_runs(connection) if run.summary.n and run.doubt is None)
        responses = responses_of(connection, {run.run: run for pair in pairs for run in pair}.values())
        flipped = [list(_flipped(responses[dense.run], responses[run.run])) for run, dense in pairs]
        return [_flip(connection, *pairs[place][::-1], *turn) for place, turn in _dealt(flipped, count)]


def _dealt(flipped: list[list[tuple[int, bool]]], count: int) -> Iterator[tuple[int, tuple[int, bool]]]:
    """Up to so many of the lists' entries with the place of their list, one of each list in turn, new questions first."""
    seen: set[int] = set()
    left = count
    while left and any(flipped):
        for place, turns in enumerate(flipped):
            if turns and left:
                turn = next((one for one in turns if one[0] not in seen), turns[0])
                turns.remove(turn)
                seen.add(turn[0])
                left -= 1
                yield place, turn


def _flipped(dense: np.ndarray, compressed: np.ndarray) -> Iterator[tuple[int, bool]]:
    """The items that only one side got right, each with whether the compressed one did; losses and gains in turn."""
    one, other = Questions.of(dense), Questions.of(compressed)
    items, at_one, at_other = np.intersect1d(one.items, other.items, return_indices=True)
    before, after = one.credit[at_one] > HALF, other.credit[at_other] > HALF
    lost, gained = (
        [(int(item), gain) for item in items[before != after][after[before != after] == gain]] for gain in (False, True)
    )
    for pair in zip_longest(lost, gained):
        yield from (turn for turn in pair if turn is not None)


def _flip(connection: sqlite3.Connection, dense: Run, run: Run, item: int, gained: bool) -> Flip:
    sides = [_row(connection, side, item, right) for side, right in ((dense, not gained), (run, gained))]
    fields = json.loads(sides[0]["fields"])
    return {
        "benchmark": run.benchmark,
        "key": str(sides[0]["key"]),
        "gained": gained,
        "question": "\n".join(str(value) for value in fields.values()),
        "gold": ", ".join(map(str, json.loads(sides[0]["gold"]))),
        "dense": _side(dense, sides[0]),
        "compressed": _side(run, sides[1]),
    }


def _row(connection: sqlite3.Connection, run: Run, item: int, right: bool) -> sqlite3.Row:
    row: sqlite3.Row = connection.execute(_SIDE, (item, json.dumps(run.runs), int(right))).fetchone()
    return row


def _side(run: Run, row: sqlite3.Row) -> FlipSide:
    return {
        "label": run.label,
        "response": row["id"],
        "parsed": row["parsed"],
        "ending": row["ending"],
        "words": row["words"] or 0,
        "left_out": max(0, (row["characters"] or 0) - SHOWN),
        "text": row["text"] or "",
    }


def texts(flip: Flip) -> Sequence[FlipSide]:
    """Both sides, the dense one first."""
    return flip["dense"], flip["compressed"]
