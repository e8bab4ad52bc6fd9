"""Verdicts and flags by hand: each review is a row of its own, and the latest one of a response counts.

The grader's verdict stays where it is (`correct`, `em`, `f1`); tables count the hand's in its place and say how many are.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

from core.errors import UsageError
from core.store.connection import transaction


def review(connection: sqlite3.Connection, response: int, verdict: bool | None, flagged: bool, note: str) -> None:
    """Judge a finished response by hand; with verdict None the grader's counts again. Raises UsageError."""
    with transaction(connection):
        row = connection.execute("SELECT state FROM responses WHERE id = ?", (response,)).fetchone()
        if row is None:
            raise UsageError(f"There is no response {response}.", "`lrm-tui responses` lists them.")
        if row["state"] != "done":
            raise UsageError(f"Response {response} has not finished.", "Judge it when it has.")
        connection.execute(
            "INSERT INTO reviews (response_id, at, verdict, flagged, note) VALUES (?, ?, ?, ?, ?)",
            (response, time.time(), None if verdict is None else int(verdict), int(flagged), note.strip()),
        )


def reviews(connection: sqlite3.Connection, response: int) -> Sequence[sqlite3.Row]:
    """The reviews of a response, the latest first: {at, verdict, flagged, note}."""
    return connection.execute(
        "SELECT at, verdict, flagged, note FROM reviews WHERE response_id = ? ORDER BY id DESC", (response,)
    ).fetchall()
