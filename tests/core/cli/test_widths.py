"""Every command's table at 80 columns, at 200, and in a pipe: folded between words, or one line a row."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from core import cli
from tests.helpers.book import Book, graded, stopped

COMMANDS = (
    "ls",
    "scores",
    "scores --recovery",
    "lengths",
    "lengths --deciles",
    "collapse",
    "findings",
    "compare R1-Distill-Llama-70B/none R1-Distill-Llama-70B/q4_k_m",
    "recommend --memory 80GB",
    "responses --limit 3",
    "show 2",
    "regrade --tables",
)
STYLE = re.compile(r"\x1b\[[\d;]*m")


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three variants of a model with a long name, one of them with a loop and a failed job with a long message."""
    book = Book(tmp_path_factory.mktemp("widths") / "runs.db")
    for compression, right, size in (("none", 9, 141.0), ("q4_k_m", 8, 42.5), ("sparsegpt-50+q4_k_m", 3, 42.5)):
        variant = book.variant(compression, model="R1-Distill-Llama-70B", bits_per_weight=4.85, bytes=int(size * 1e9))
        for benchmark in ("aime", "folio", "temporal"):
            run = graded(1, 4 * right, words=800) + graded(0, 4 * (10 - right), words=12_000)
            book.run(variant, benchmark, run, state="done")
    looped = book.run(
        book.variant("q3_k_m", model="R1-Distill-Llama-70B"), "temporal", [stopped(), *graded(1, 9)], state="failed"
    )
    message = "The engine died 3 times and finished no response between (killed by SIGKILL)."
    book.writer.execute("UPDATE jobs SET error = ? WHERE id = ?", (message, looped))
    book.reader.close()
    book.writer.close()
    return book.path


def printed(line: str, store: Path, width: int | None, monkeypatch: pytest.MonkeyPatch) -> str:
    stream = io.StringIO() if width is None else Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", str(width or 80))
    names = [part.replace("/", " ") for part in line.split()]
    assert cli.main([*names, "--db", str(store)]) == 0
    return STYLE.sub("", stream.getvalue())


@pytest.mark.parametrize("width", [80, 200, None], ids=["80", "200", "pipe"])
@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_fits(
    line: str, width: int | None, store: Path, snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = printed(line, store, width, monkeypatch)
    assert max(map(len, shown.splitlines())) <= (width or sys.maxsize)
    assert shown == snapshot
