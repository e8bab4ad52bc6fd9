"""Full-text search over the texts of responses: a user's query as an FTS5 expression, and indexing of older texts.

New texts are indexed by triggers in the transaction that stores them (`core.store.schema`). Texts from before the index
existed are indexed here, newest first, in transactions short enough that no other writer waits; progress is stored with each,
so any process can continue.
"""

from __future__ import annotations

import re
import sqlite3

from core.errors import UsageError
from core.store.connection import transaction

STEP_CHARACTERS = 1_000_000
STEP_RESPONSES = 500

_TERM = re.compile(r'"([^"]*)"?|(\S+)')


def expression(typed: str) -> str:
    """An FTS5 expression: all words must occur; "words in quotes" in that order; `begin*` matches prefixes.

    Raises UsageError where there is no letter and no digit to search for.
    """
    terms = _terms(typed)
    if not terms:
        raise UsageError(f"There is no word in {typed!r}.", 'Search for words, or for "several words in quotes".')
    return " AND ".join(f'"{term}"{"*" if open_ended else ""}' for term, open_ended in terms)


def pattern(typed: str) -> re.Pattern[str]:
    """A pattern that matches what `expression` finds, to highlight it in a text (accents count here)."""
    patterns = []
    for term, open_ended in _terms(typed):
        words = r"[\W_]+".join(re.escape(word) for word in re.findall(r"[^\W_]+", term))
        patterns.append(rf"\b{words}{'' if open_ended else chr(92) + 'b'}")
    return re.compile("|".join(patterns) or r"(?!)", re.IGNORECASE)


def _terms(typed: str) -> list[tuple[str, bool]]:
    """Words and phrases, and whether each is a prefix."""
    terms = [((phrase or word).replace('"', " "), word.endswith("*")) for phrase, word in _TERM.findall(typed)]
    return [(term, open_ended) for term, open_ended in terms if any(character.isalnum() for character in term)]


def left(connection: sqlite3.Connection) -> int:
    """How many responses `step` has still to visit; 0 when all older texts are indexed."""
    return int(connection.execute("SELECT since - 1 FROM search_progress").fetchone()[0])


def step(connection: sqlite3.Connection) -> int:
    """Index some older texts in one short transaction. Returns the new value of `left`."""
    with transaction(connection):
        batch, characters = [], 0
        older = connection.execute(_OLDER, (STEP_RESPONSES,))
        for row in older:
            batch.append(row)
            characters += len(row["text"] or "")
            if characters >= STEP_CHARACTERS:
                break
        older.close()
        connection.executemany(
            "INSERT INTO search (rowid, text) VALUES (?, ?)",
            [(row["response_id"], row["text"]) for row in batch if row["text"]],
        )
        since = int(batch[-1]["response_id"]) if batch else 1
        connection.execute("UPDATE search_progress SET since = ?", (since,))
    return since - 1


_OLDER = """
SELECT t.response_id,
       CASE WHEN NOT EXISTS (SELECT 1 FROM search_docsize d WHERE d.id = t.response_id) THEN t.text END AS text
FROM response_texts t WHERE t.response_id < (SELECT since FROM search_progress) ORDER BY t.response_id DESC LIMIT ?
"""
