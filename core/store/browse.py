"""Finished responses a page at a time, filtered and ordered in SQL, however many there are.

A page begins after a row and not at a number of rows (keyset paging), so that the last page costs what the first does. Only
numbers are looked for in the large tables; the few rows of the page are read by number afterwards.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from core.store.filters import ResponseFilter, Verdict
from core.store.joins import JOBS, MODEL, VARIANT
from core.store.search import expression

WORDS = "coalesce(r.thinking_words, 0) + coalesce(r.answer_words, 0)"
_VERDICTS: dict[Verdict, str] = {
    "all": "r.state = 'done'",
    "correct": "r.state = 'done' AND coalesce(r.hand, r.correct, r.em) = 1",
    "wrong": "r.state = 'done' AND coalesce(r.hand, r.correct, r.em) = 0",
    "unparsed": "r.state = 'done' AND r.parsed IS NULL",
    "looped": "r.state = 'done' AND r.collapsed = 1",
    "reviewed": "r.state = 'done' AND (r.hand IS NOT NULL OR r.flagged = 1)",
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """Keyset cursor: the position of a response in either order."""

    id: int
    words: int


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in order; `more_before` and `more_after` say whether there are any beyond them."""

    rows: tuple[sqlite3.Row, ...]
    more_before: bool
    more_after: bool


def cursor(row: sqlite3.Row) -> Cursor:
    """The cursor of a row of a page."""
    return Cursor(row["id"], row["words"])


def page(
    connection: sqlite3.Connection, selection: ResponseFilter, size: int, beyond: Cursor | None = None, backwards: bool = False
) -> Page:
    """The page after a cursor, or before it; without a cursor the first, or the last. Raises UsageError for an empty search."""
    numbers = _ids(connection, selection, size + 1, beyond, backwards)
    more, ids = len(numbers) > size, numbers[:size]
    if backwards:
        return Page(rows(connection, ids[::-1]), more, beyond is not None)
    return Page(rows(connection, ids), beyond is not None, more)


def count(connection: sqlite3.Connection, selection: ResponseFilter) -> int:
    """How many responses there are. A verdict alone is counted in its index, which the planner does not choose by itself."""
    source, where, values = _query(selection)
    if selection.verdict != "all" and ResponseFilter(selection.verdict, order=selection.order) == selection:
        source += f" INDEXED BY responses_{selection.verdict}"
    jobs = _jobs(connection, selection)
    if jobs is not None:
        where += " AND r.job_id IN (SELECT value FROM json_each(:jobs))"
        values["jobs"] = json.dumps(jobs)
    return int(connection.execute(f"SELECT count(*) FROM {source} WHERE {where}", values).fetchone()[0])


def _ids(
    connection: sqlite3.Connection, selection: ResponseFilter, size: int, beyond: Cursor | None, backwards: bool
) -> list[int]:
    """Ids of responses in order. Query run by run, since the index is ordered within a run.

    `edge` skips rows that cannot be on this page any more.
    """
    source, where, values = _query(selection)
    jobs = _jobs(connection, selection)
    falling = (selection.order in ("newest", "longest")) != backwards
    sign, direction = ("<", "DESC") if falling else (">", "ASC")
    by_words = selection.order in ("longest", "shortest")
    if beyond is not None:
        values |= {"at": beyond.id, "at_words": beyond.words}
        after = f"r.id {sign} :at"
        where += f" AND {WORDS} {sign}= :at_words AND ({WORDS} {sign} :at_words OR {after})" if by_words else f" AND {after}"
    keys = f"{WORDS} {direction}, r.id {direction}" if by_words else f"r.id {direction}"
    page: list[tuple[int, int]] = []
    each = jobs is not None and not selection.search
    if each and not by_words:
        where += f" AND r.id {'>' if falling else '<'} :edge"
    if jobs is not None:
        where += " AND r.job_id = :job" if each else " AND r.job_id IN (SELECT value FROM json_each(:jobs))"
    values |= {"jobs": json.dumps(jobs), "edge": -1 if falling else 1 << 62}
    sql = f"SELECT r.id, {WORDS} AS words FROM {source} WHERE {where} ORDER BY {keys} LIMIT {int(size)}"
    for job in sorted(jobs or (), reverse=falling) if each else [None]:
        page += [(row[0], row[1]) for row in connection.execute(sql, values | {"job": job})]
        page.sort(key=lambda row: (row[1] if by_words else 0, row[0]), reverse=falling)
        del page[size:]
        if len(page) == size:
            values["edge"] = page[-1][0]
    return [number for number, _ in page]


def _query(selection: ResponseFilter) -> tuple[str, str, dict[str, str | int | None]]:
    """FROM, WHERE and parameters of a query, without the choice of runs."""
    source, wheres, values = "responses r", [_VERDICTS[selection.verdict]], dict[str, str | int | None]()
    if selection.search:
        source = "search s CROSS JOIN responses r ON r.id = s.rowid"
        wheres.append("s.search MATCH :search")
        values["search"] = expression(selection.search)
    if selection.item:
        wheres.append("r.item_id IN (SELECT id FROM items WHERE key = :item)")
        values["item"] = selection.item
    if selection.ending:
        wheres.append("r.ending = :ending")
        values["ending"] = selection.ending
    for bound, sign in ((selection.min_words, ">="), (selection.max_words, "<=")):
        if bound is not None:
            wheres.append(f"{WORDS} {sign} {int(bound)}")
    return source, " AND ".join(wheres), values


def _jobs(connection: sqlite3.Connection, selection: ResponseFilter) -> list[int] | None:
    """The runs that the filter selects; None for all of them."""
    if selection.job is None and not selection.variant and not selection.benchmark:
        return None
    rows = connection.execute(
        f"SELECT j.id FROM {JOBS} "
        "WHERE (:job IS NULL OR j.id = :job) AND (:benchmark = '' OR j.benchmark = :benchmark) "
        f"AND instr(lower({VARIANT}), lower(:variant)) AND j.kind = 'run'",
        {"job": selection.job, "variant": selection.variant, "benchmark": selection.benchmark},
    )
    return [int(row[0]) for row in rows]


def rows(connection: sqlite3.Connection, ids: Sequence[int]) -> tuple[sqlite3.Row, ...]:
    """What a list shows of these responses, in this order."""
    unordered = connection.execute(f"{_LIST} WHERE r.id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))
    by_id = {row["id"]: row for row in unordered}
    return tuple(by_id[number] for number in ids)


def siblings(connection: sqlite3.Connection, response: int) -> Sequence[sqlite3.Row]:
    """Every finished response to the question of this one, its own among them, in the order of the runs."""
    return connection.execute(
        f"{_LIST} WHERE r.state = 'done' AND r.item_id = (SELECT item_id FROM responses WHERE id = ?) "
        "ORDER BY r.job_id, r.sample LIMIT 500",
        (response,),
    ).fetchall()


_LIST = f"""
SELECT r.id, r.job_id, {MODEL} AS model, a.compression, j.benchmark, j.engine, i.key, r.parsed, i.gold, r.correct, r.em, r.f1,
       r.hand, r.flagged, r.finish_reason, r.ending, r.collapsed, r.sample, {WORDS} AS words
FROM responses r CROSS JOIN items i ON i.id = r.item_id CROSS JOIN jobs j ON j.id = r.job_id
CROSS JOIN variants v ON v.id = j.variant_id CROSS JOIN artifacts a ON a.id = v.artifact_id
CROSS JOIN models m ON m.id = a.model_id
"""


def excerpt(connection: sqlite3.Connection, selection: ResponseFilter, response: int, words: int = 24) -> str:
    """A piece of a response around the matches of a search, marked by « and »."""
    row = connection.execute(
        "SELECT snippet(search, 0, '«', '»', '…', ?) FROM search WHERE search MATCH ? AND rowid = ?",
        (words, expression(selection.search), response),
    ).fetchone()
    return str(row[0]) if row else ""


GLANCE = 400
"""Characters of a question and of an answer that a glance shows."""


def glance(connection: sqlite3.Connection, selection: ResponseFilter, response: int) -> tuple[str, str]:
    """The beginning of the question, and the match of the search or else the end of the answer part."""
    row = connection.execute(
        f"SELECT i.fields, substr(t.text, -{GLANCE}) AS ended, substr(t.text, r.answer_start + 1, {GLANCE}) AS answer, "
        "length(t.text) - r.answer_start AS long "
        "FROM responses r JOIN items i ON i.id = r.item_id LEFT JOIN response_texts t ON t.response_id = r.id WHERE r.id = ?",
        (response,),
    ).fetchone()
    if row is None:
        return "", ""
    asked = " · ".join(str(value) for value in json.loads(row["fields"]).values())[:GLANCE]
    if selection.search:
        return asked, excerpt(connection, selection, response)
    return asked, str((row["answer"] if row["long"] is not None and row["long"] <= GLANCE else row["ended"]) or "")


def answers(connection: sqlite3.Connection, runs: Sequence[int], keys: Sequence[str]) -> dict[tuple[int, str], sqlite3.Row]:
    """The first sample of each of these runs to each of these questions, by run and key of the question."""
    samples = connection.execute(
        f"{_LIST} WHERE r.state = 'done' AND r.job_id IN (SELECT value FROM json_each(?)) "
        "AND i.key IN (SELECT value FROM json_each(?)) ORDER BY r.sample DESC",
        (json.dumps(list(runs)), json.dumps(list(keys))),
    )
    return {(row["job_id"], row["key"]): row for row in samples}
