"""Finished responses graded again after the rules have changed, their endings too; what each grade was stays beside it.

Texts and verdicts by hand are never touched. Each changed response moves its old grade into `former_grades` in the transaction
that writes the new one, so that stopping at any moment loses nothing and a second call goes on.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import cast

from core.errors import UsageError
from core.grading.settle import ROWS, Siblings, judged_again, siblings, write
from core.store.columns import FormerGrade, JudgedColumns
from core.store.connection import transaction
from core.store.joins import JOBS, VARIANT

BATCH = 200
"""Responses a transaction, so that the runner never waits long."""
COLUMNS = ("parsed", "rule", "span_start", "span_end", "correct", "em", "f1", "strict_em", "strict_f1")

_RUNS = f"""
SELECT j.id, {VARIANT} AS variant, j.benchmark FROM {JOBS}
WHERE j.kind = 'run' AND (:runs IS NULL OR j.id IN (SELECT value FROM json_each(:runs))) ORDER BY j.id
"""
ENDING = ("ending", "prompt_thinking", "finish_reason", "answer_start", "thinking_words", "answer_words")
"""What is read off the text besides the grade; the lenient grade goes with it."""
LENIENT = ("lenient_credit", "lenient_score")
_RESPONSES = f"{ROWS} AND r.id > ? ORDER BY r.id LIMIT {BATCH}"
_KEEP = f"""
INSERT INTO former_grades (response_id, until, replaced_by, {", ".join(COLUMNS)})
SELECT id, ?, ?, {", ".join(COLUMNS)} FROM responses WHERE id = ?
"""


@dataclass(frozen=True, slots=True)
class Changed:
    """One response that would change: how it ended, what was extracted by which rule, its worth (0 to 1); each then and now."""

    response: int
    key: str
    ending: tuple[str | None, str | None]
    parsed: tuple[str | None, str | None]
    rule: tuple[str | None, str | None]
    worth: tuple[float, float]


@dataclass(slots=True)
class Regraded:
    """One run: how many finished responses, how many grades changed, and for how many the verdict (or F1) went up or down.

    `endings` is how many endings changed, and `unknown` how many of these were not known before. `before` and `after` are the
    sums of what its responses are worth (verdict or F1); a dry run lists its `changes`.
    """

    run: int
    variant: str
    benchmark: str
    responses: int = 0
    changed: int = 0
    better: int = 0
    worse: int = 0
    before: float = 0.0
    after: float = 0.0
    endings: int = 0
    unknown: int = 0
    changes: list[Changed] = field(default_factory=list)


def regrade(
    connection: sqlite3.Connection,
    runs: Sequence[int] | None = None,
    dry: bool = False,
    progress: Callable[[Regraded], None] = lambda run: None,
) -> list[Regraded]:
    """Grade the finished responses of runs (None: of every run) again; with `dry` only say what would change.

    Raises UsageError where a run is not in the store, before anything is written.
    """
    chosen = None if runs is None else json.dumps(list(runs))
    regraded = [Regraded(*row) for row in connection.execute(_RUNS, {"runs": chosen}).fetchall()]
    if unknown := sorted(set(runs or ()) - {run.run for run in regraded}):
        raise UsageError(f"There is no run {', '.join(map(str, unknown))}.", "`lrm-tui ls` lists them; nothing was graded.")
    for run in regraded:
        others = siblings(connection, run.run)
        for batch in _batches(connection, run.run):
            changes = [(row, columns) for row in batch if (columns := _change(run, row, others, dry))]
            if changes and not dry:
                _write(connection, changes)
            progress(run)
    return regraded


def _batches(connection: sqlite3.Connection, run: int) -> Iterator[list[sqlite3.Row]]:
    after = 0
    while rows := connection.execute(_RESPONSES, (run, after)).fetchall():
        yield rows
        after = int(rows[-1]["id"])


def _change(run: Regraded, row: sqlite3.Row, others: Siblings, dry: bool) -> JudgedColumns | None:
    """The new columns of a response; None where they are the old ones."""
    new = judged_again(row, others)
    grade = _differs(row, new, COLUMNS)
    worth = _worth(row["correct"], row["f1"]), _worth(new["correct"], new["f1"])
    gain = worth[1] - worth[0]
    run.responses, run.before, run.after = run.responses + 1, run.before + worth[0], run.after + worth[1]
    run.changed, run.better, run.worse = run.changed + grade, run.better + (gain > 0), run.worse + (gain < 0)
    ending = row["ending"] != new["ending"]
    run.endings, run.unknown = run.endings + ending, run.unknown + (ending and row["ending"] is None)
    if dry and (grade or (ending and row["ending"] is not None)):
        pairs = (row["ending"], new["ending"]), (row["parsed"], new["parsed"]), (row["rule"], new["rule"])
        run.changes.append(Changed(row["id"], row["key"], *pairs, worth))
    return new if grade or _differs(row, new, (*ENDING, *LENIENT)) else None


def _differs(row: sqlite3.Row, new: JudgedColumns, names: Sequence[str]) -> bool:
    values: Mapping[str, object] = {**new}
    return any(values[name] != row[name] for name in names)


def _worth(correct: int | None, f1: float | None) -> float:
    return float(f1 or 0.0) if correct is None else float(correct)


def _write(connection: sqlite3.Connection, changes: Sequence[tuple[sqlite3.Row, JudgedColumns]]) -> None:
    now, by = time.time(), f"lrm-tui {version('lrm-tui')}"
    with transaction(connection):
        for row, columns in changes:
            if _differs(row, columns, COLUMNS):
                connection.execute(_KEEP, (now, by, row["id"]))
            write(connection, row, columns)


def former(connection: sqlite3.Connection, response: int) -> list[FormerGrade]:
    """The grades that a response had before, the latest first."""
    names = ", ".join(("until", "replaced_by", *COLUMNS))
    sql = f"SELECT {names} FROM former_grades WHERE response_id = ? ORDER BY id DESC"
    return [cast(FormerGrade, dict(row)) for row in connection.execute(sql, (response,))]
