"""`lrm-tui scan` over files, folders, standard input and stored runs."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.book import Book, graded, stopped

LOOPING = "He thinks. " + "So the answer is (B).\n" * 200
HEALTHY = "The answer is (A)."


def scan(*arguments: object, stdin: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tui.entry", "scan", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if name != "LRM_DB"}
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, cwd=cwd, env=environment)


def rows(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("name", ["outputs.jsonl", "outputs.jsonl.gz", "-"])
def test_rows_have_a_verdict_each_and_the_exit_code_tells_of_a_collapse(name: str, tmp_path: Path) -> None:
    text = "\n".join(json.dumps({"id": i, "output": o}) for i, o in (("good", HEALTHY), (7, LOOPING)))
    path = name if name == "-" else tmp_path / name
    if isinstance(path, Path):
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    done = scan("--json", path, stdin=text if name == "-" else "")
    assert done.returncode == 3
    found = rows(done)
    assert found["good"] == {"id": "good", "verdict": "healthy", "position": None, "onset": None, "period": None, "unit": None}
    loop = found["7"]
    assert (loop["verdict"], loop["period"], loop["unit"]) == ("collapsed", 22, "So the answer is (B).\n")
    assert LOOPING[loop["onset"] :].startswith(" the answer") or LOOPING[loop["onset"] :].startswith("So the answer")


def test_a_folder_goes_by_number_and_a_table_shows_what_repeats_itself(tmp_path: Path) -> None:
    for number, text in ((0, HEALTHY), (2, HEALTHY), (10, LOOPING + "\x1b[2J")):
        (tmp_path / f"{number}.txt").write_text(text)
    assert list(rows(scan("--json", tmp_path))) == ["0.txt", "2.txt", "10.txt"]
    done = scan(tmp_path)
    assert done.returncode == 3
    assert "10.txt" in done.stdout and "0.txt" not in done.stdout.replace("10.txt", "")
    assert "2 healthy, 0 suspicious, 1 collapsed of 3 outputs." in done.stdout
    assert "\x1b" not in done.stdout


def test_the_responses_of_a_run_are_scanned_under_their_own_limit(tmp_path: Path) -> None:
    book = Book(tmp_path / "runs.db")
    run = book.run(book.variant(), "folio", [stopped(text=LOOPING[:2_000]), *graded(1, text=HEALTHY)])
    done = scan("--json", "--db", book.path, run)
    assert done.returncode == 3
    assert sorted(row["verdict"] for row in rows(done).values()) == ["collapsed", "healthy"]


def test_healthy_outputs_end_with_zero(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text(HEALTHY)
    assert scan(tmp_path / "one.txt").returncode == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"id": 1, "output": "a"}\n{"id": 2,\n', "line 2"),
        ('{"id": 1, "output": "a"}\n\n{"id": 2}\n', "line 3"),
        ("[1]\n", "line 1"),
        (b'{"id": 1, "output": "a"}\n\xff\xfe\n', "line"),
    ],
)
def test_a_broken_line_is_named_by_number(content: str | bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = scan(path)
    assert done.returncode == 1
    assert said in done.stderr and "Each line must be" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["broken.jsonl.gz", "nowhere.txt", "empty"])
def test_what_cannot_be_read_is_said(name: str, tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl.gz").write_bytes(b"no gzip")
    (tmp_path / "empty").mkdir()
    done = scan(tmp_path / name)
    assert done.returncode == (2 if name == "nowhere.txt" else 1)
    assert name in done.stderr and "Traceback" not in done.stderr


def test_a_number_without_a_run_is_an_error(tmp_path: Path) -> None:
    Book(tmp_path / "runs.db")
    done = scan("--db", tmp_path / "runs.db", 99, cwd=tmp_path)
    assert done.returncode == 2 and "no run 99" in done.stderr
