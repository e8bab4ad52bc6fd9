"""One change of the queue for each of several jobs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

from core.cli.call import Call


def change_each(call: Call, jobs: Iterable[int], change: Callable[[sqlite3.Connection, int], None], state: str) -> int:
    """Change jobs in turn, each told when it is done; the first that cannot be changed ends it. Returns the exit code."""
    with call.changing() as connection:
        for job in jobs:
            change(connection, job)
            print(f"#{job} {state}")
    return 0
