"""The command line's grammar."""

from __future__ import annotations

from pathlib import Path

from core.cli import parse


def test_the_store_may_be_named_before_or_after_the_command() -> None:
    assert parse(["--db", "x.db", "ls"]).db == Path("x.db")
    assert parse(["ls", "--db", "x.db"]).db == Path("x.db")
    assert parse(["--db", "x.db"]).db == Path("x.db")
    assert parse(["ls"]).db is None
