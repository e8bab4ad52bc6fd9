"""Outputs that exist already, wherever they lie: JSONL rows, text files, or a run in the store."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from core.errors import DataError, UsageError


@dataclass(frozen=True, slots=True)
class Output:
    """One output with its name, and the most tokens that it could have had where that is known."""

    id: str
    text: str
    limit: int | None = None


def from_path(path: Path) -> Iterator[Output]:
    """The rows of a .jsonl or .jsonl.gz file (`-`: standard input), the text of any other file, or every file of a folder.

    Raises DataError naming the file and the line.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        if not files:
            raise DataError(f"{path} holds no files.", "Name a folder of text files.")
        for file in sorted(files, key=_natural):
            yield Output(file.name, _text(file))
    elif str(path) == "-" or path.name.endswith((".jsonl", ".jsonl.gz")):
        with open_lines(path) as lines:
            yield from _rows(path, lines)
    else:
        yield Output(path.name, _text(path))


def from_run(connection: sqlite3.Connection, job: int) -> Iterator[Output]:
    """The finished responses of a run by their numbers. Raises UsageError where there is no such run."""
    if connection.execute("SELECT 1 FROM jobs WHERE id = ? AND kind = 'run'", (job,)).fetchone() is None:
        raise UsageError(f"There is no run {job}.", "`lrm-tui ls` lists them; a file of that name needs a path (./NAME).")
    sql = (
        "SELECT r.id, t.text, r.token_limit FROM responses r JOIN response_texts t ON t.response_id = r.id "
        "WHERE r.job_id = ? AND r.state = 'done' ORDER BY r.position, r.sample"
    )
    for number, text, limit in connection.execute(sql, (job,)):
        yield Output(str(number), text, limit)


def _natural(path: Path) -> tuple[int, str]:
    """Numbered files by their numbers, the others by name after them."""
    return (int(path.stem), "") if path.stem.isdecimal() else (sys.maxsize, path.name)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error


@contextmanager
def open_lines(path: Path) -> Iterator[TextIO]:
    """The lines of a .jsonl or .jsonl.gz file, or of standard input (`-`). Raises DataError where it cannot be read."""
    if str(path) == "-":
        yield sys.stdin
        return
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield io.TextIOWrapper(file, encoding="utf-8")
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {error}.", "Check the file.") from error


def _rows(path: Path, lines: TextIO) -> Iterator[Output]:
    number = 0
    try:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _row(json.loads(line), number)
    except (ValueError, KeyError, TypeError) as error:
        where = f"{path}, line {number + isinstance(error, UnicodeDecodeError)}"
        remedy = 'Each line must be a JSON object {"id": ..., "output": "..."}.'
        raise DataError(f"{where} is no row with an output: {error}.", remedy) from error


def _row(row: object, number: int) -> Output:
    if not isinstance(row, dict):
        raise TypeError("it is no object")
    if not isinstance(row.get("output"), str):
        raise TypeError('it has no text under "output"')
    return Output(str(row.get("id", number)), row["output"])
