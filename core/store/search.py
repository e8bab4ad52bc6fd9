"""Full-text search over the texts of responses: what a user typed as an expression of FTS5, and indexing older texts.

New texts are indexed by triggers in the transaction that stores them (`core.store.schema`). Texts from before the index
are taken up here, newest first, in steps short enough that no other writer waits; each step is a transaction with its record,
so that it may be stopped and taken up by anyone.
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
    """Words that must all occur; "several in quotes" in that order, and `begin*` for whatever begins so.

    Raises UsageError where there is no letter and no digit to look for.
    """
    terms = _terms(typed)
    if not terms:
        raise UsageError(f"There is no word in {typed!r}.", 'Search for words, or for "several words in quotes".')
    return " AND ".join(f'"{term}"{"*" if open_ended else ""}' for term, open_ended in terms)


def pattern(typed: str) -> re.Pattern[str]:
    """What `expression` finds, to mark it in a text (accents count here)."""
    found = []
    for term, open_ended in _terms(typed):
        words = r"[\W_]+".join(re.escape(word) for word in re.findall(r"[^\W_]+", term))
        found.append(rf"\b{words}{'' if open_ended else chr(92) + 'b'}")
    return re.compile("|".join(found) or r"(?!)", re.IGNORECASE)


def _terms(typed: str) -> list[tuple[str, bool]]:
    """Words and phrases, and whether more may follow a word."""
    found = [((phrase or word).replace('"', " "), word.endswith("*")) for phrase, word in _TERM.findall(typed)]
    return [(term, open_ended) for term, open_ended in found if any(character.isalnum() for character in term)]


def left(connection: sqlite3.Connection) -> int:
    """How many response numbers are still to be looked at by `step`; 0 when all older texts are indexed."""
    return int(connection.execute("SELECT since - 1 FROM search_progress").fetchone()[0])


def step(connection: sqlite3.Connection) -> int:
    """Index some older texts in one short transaction. Returns what `left` says afterwards."""
    with transaction(connection):
        taken, characters = [], 0
        older = connection.execute(_OLDER, (STEP_RESPONSES,))
        for row in older:
            taken.append(row)
            characters += len(row["text"] or "")
            if characters >= STEP_CHARACTERS:
                break
        older.close()
        connection.executemany(
            "INSERT INTO search (rowid, text) VALUES (?, ?)",
            [(row["response_id"], row["text"]) for row in taken if row["text"]],
        )
        since = int(taken[-1]["response_id"]) if taken else 1
        connection.execute("UPDATE search_progress SET since = ?", (since,))
    return since - 1


_OLDER = """
SELECT t.response_id,
       CASE WHEN NOT EXISTS (SELECT 1 FROM search_docsize d WHERE d.id = t.response_id) THEN t.text END AS text
FROM response_texts t WHERE t.response_id < (SELECT since FROM search_progress) ORDER BY t.response_id DESC LIMIT ?
"""
