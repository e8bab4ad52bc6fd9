"""Finished responses graded again after a grader's rules have changed; what each grade was stays beside it.

Texts and verdicts by hand are never touched. Each changed response moves its old grade into `former_grades` in the transaction
that writes the new one, so that stopping at any moment loses nothing and a second call goes on.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import cast

from benchmarks.base import Item
from benchmarks.parts import answer_of
from benchmarks.registry import get
from core.errors import UsageError
from core.grading.grade import grade_columns
from core.store.columns import Columns, FormerGrade
from core.store.connection import transaction
from core.store.joins import JOBS, VARIANT

BATCH = 200
"""Responses a transaction, so that the runner never waits long."""
COLUMNS = ("parsed", "rule", "span_start", "span_end", "correct", "em", "f1", "strict_em", "strict_f1")

_RUNS = f"""
SELECT j.id, {VARIANT} AS variant, j.benchmark FROM {JOBS}
WHERE j.kind = 'run' AND (:runs IS NULL OR j.id IN (SELECT value FROM json_each(:runs))) ORDER BY j.id
"""
_RESPONSES = f"""
SELECT r.id, r.finish_reason, r.answer_start, {", ".join(f"r.{name}" for name in COLUMNS)}, i.key, i.fields, i.gold, t.text
FROM responses r JOIN items i ON i.id = r.item_id LEFT JOIN response_texts t ON t.response_id = r.id
WHERE r.job_id = ? AND r.state = 'done' AND r.id > ? ORDER BY r.id LIMIT {BATCH}
"""
_KEEP = f"""
INSERT INTO former_grades (response_id, until, replaced_by, {", ".join(COLUMNS)})
SELECT id, ?, ?, {", ".join(COLUMNS)} FROM responses WHERE id = ?
"""
_WRITE = f"UPDATE responses SET {', '.join(f'{name} = :{name}' for name in COLUMNS)} WHERE id = :id"


@dataclass(frozen=True, slots=True)
class Changed:
    """One response whose grade would change: what was and would be extracted, by which rule, and its worth (0 to 1)."""

    response: int
    key: str
    parsed: tuple[str | None, str | None]
    rule: tuple[str | None, str | None]
    worth: tuple[float, float]


@dataclass(slots=True)
class Regraded:
    """One run: how many finished responses, how many grades changed, and for how many the verdict (or F1) went up or down.

    `before` and `after` are the sums of what its responses are worth (verdict or F1); a dry run lists its `changes`.
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
        for batch in _batches(connection, run.run):
            changes = [change for row in batch if (change := _change(run, row, dry))]
            if changes and not dry:
                _write(connection, changes)
            progress(run)
    return regraded


def _batches(connection: sqlite3.Connection, run: int) -> Iterator[list[sqlite3.Row]]:
    after = 0
    while rows := connection.execute(_RESPONSES, (run, after)).fetchall():
        yield rows
        after = int(rows[-1]["id"])


def _change(run: Regraded, row: sqlite3.Row, dry: bool) -> Columns | None:
    """The new grade of a response with its id; None where it is the old one."""
    item = Item(row["key"], json.loads(row["fields"]), json.loads(row["gold"]))
    answer = answer_of(row["text"] or "", row["finish_reason"], row["answer_start"])
    new = grade_columns(get(run.benchmark), item, answer, row["finish_reason"])
    run.responses += 1
    values: Columns = {**new}
    worth = _worth(row["correct"], row["f1"]), _worth(new["correct"], new["f1"])
    run.before, run.after = run.before + worth[0], run.after + worth[1]
    if all(values[name] == row[name] for name in COLUMNS):
        return None
    gain = worth[1] - worth[0]
    if dry:
        pairs = (row["parsed"], new["parsed"]), (row["rule"], new["rule"])
        run.changes.append(Changed(row["id"], row["key"], *pairs, worth))
    run.changed, run.better, run.worse = run.changed + 1, run.better + (gain > 0), run.worse + (gain < 0)
    return {**values, "id": row["id"]}


def _worth(correct: int | None, f1: float | None) -> float:
    return float(f1 or 0.0) if correct is None else float(correct)


def _write(connection: sqlite3.Connection, changes: Sequence[Columns]) -> None:
    now, by = time.time(), f"lrm-tui {version('lrm-tui')}"
    with transaction(connection):
        connection.executemany(_KEEP, [(now, by, change["id"]) for change in changes])
        connection.executemany(_WRITE, changes)


def former(connection: sqlite3.Connection, response: int) -> list[FormerGrade]:
    """The grades that a response had before, the latest first."""
    names = ", ".join(("until", "replaced_by", *COLUMNS))
    sql = f"SELECT {names} FROM former_grades WHERE response_id = ? ORDER BY id DESC"
    return [cast(FormerGrade, dict(row)) for row in connection.execute(sql, (response,))]
