"""`lrm-tui grade`: rows of a file or of standard input graded without a store, for people and for scripts."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from core import cli

DAY = {"input": "When?\nOptions:\n(A) 1pm to 2pm\n(B) 7pm to 9pm\n(C) 2pm to 3pm"}
ROWS = [
    {"id": "number", "benchmark": "aime", "gold": 73, "output": "<think>7</think>\\boxed{073}", "finish_reason": "stop"},
    {"id": 5, "benchmark": "temporal", "item": DAY, "gold": "(B)", "output": "From 19:00 to 21:00."},
    {"id": "name", "benchmark": "musique", "gold": ["Apple Corps", "Apple"], "output": "Answer: Apple Corps of London"},
    {"id": "cut", "benchmark": "FOLIO", "gold": "unknown", "output": "hm</think>Answer: Unkn", "finish_reason": "max_tokens"},
    {"id": "no gold", "benchmark": "folio", "output": "Answer: it does not follow."},
]


def graded(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def written(folder: Path, *rows: object) -> str:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return str(path)


def test_a_row_is_an_object_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["grade", written(tmp_path, *ROWS), "--json"]) == 0
    number, letter, name, cut, unknown = graded(capsys)
    assert number == {"id": "number", "parsed": "73", "rule": "boxed", "correct": True, "ending": "answered"}
    assert (letter["id"], letter["parsed"], letter["correct"]) == (5, "B", True)
    assert (name["parsed"], name["em"], name["f1"]) == (
        "Apple Corps of London",
        0.0,
        pytest.approx(2 / 3),
    ) and "correct" not in name
    assert (cut["parsed"], cut["correct"], cut["ending"]) == (None, False, "cut_in_answer")
    assert [row["ending"] for row in (letter, name, cut, unknown)] == [
        "no_thinking",
        "no_thinking",
        "cut_in_answer",
        "no_thinking",
    ]
    assert (unknown["parsed"], unknown["correct"]) == ("Uncertain", None)
    assert not list(tmp_path.glob("*.db"))


def test_how_an_output_ended_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = [
        ("<think>hm", "length"),
        ("hm</think>Round and round. " + "And so on. " * 900, "length"),
        ("", "stop"),
        ("hm</think>I don't know.", "stop"),
    ]
    rows = [{"benchmark": "musique", "output": output, "finish_reason": reason} for output, reason in outputs]
    assert cli.main(["grade", written(tmp_path, *rows), "--json"]) == 0
    assert [row["ending"] for row in graded(capsys)] == ["cut_in_thinking", "loop", "empty", "refused"]


def test_rows_that_cannot_be_read_are_named_and_the_others_graded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = ["no JSON", "[]", {"id": 1, "benchmark": "aime"}, {"benchmark": "gsm8k", "output": "x"}, {"output": "x"}]
    bad += [{"benchmark": "aime", "output": "x", "finish_reason": "tired"}, {"benchmark": "aime", "output": "x", "item": [1]}]
    assert cli.main(["grade", written(tmp_path, *bad, "", ROWS[0]), "--json"]) == 1
    said = capsys.readouterr()
    assert [json.loads(line)["id"] for line in said.out.splitlines()] == ["number"]
    lines = said.err.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"line {number}" for number in range(1, 8)]
    assert "no JSON object" in lines[0] and "`output`" in lines[2] and "'gsm8k'" in lines[3] and "--benchmark" in lines[4]
    assert "finish reason" in lines[5] and "`item`" in lines[6]


def test_a_file_that_is_no_text_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(json.dumps(ROWS[0]).encode() + b"\n\xff\xfe\n")
    assert cli.main(["grade", str(path)]) == 1
    assert "no UTF-8" in capsys.readouterr().err


def test_standard_input_and_packed_files_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "\n".join(json.dumps(row) for row in ROWS)
    monkeypatch.setattr("sys.stdin", io.StringIO(rows))
    assert cli.main(["grade", "-", "--json"]) == 0
    piped = graded(capsys)
    packed = tmp_path / "rows.jsonl.gz"
    packed.write_bytes(gzip.compress(rows.encode()))
    assert cli.main(["grade", str(packed), "--json"]) == 0
    assert graded(capsys) == piped and len(piped) == len(ROWS)


def test_a_benchmark_can_be_given_for_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, {"output": "Answer: 12", "gold": "12"})
    assert cli.main(["grade", path, "--benchmark", "aime", "--json"]) == 0
    assert graded(capsys) == [{"id": 1, "parsed": "12", "rule": "statement", "correct": True, "ending": "no_thinking"}]
    assert cli.main(["grade", path, "--benchmark", "chess"]) == 2
    assert "There is no benchmark 'chess'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nowhere.jsonl"], [], ["--no-such-option"]])
def test_wrong_usage_is_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["grade", *arguments]) == 2
    assert capsys.readouterr().err


def test_questions_are_named_by_row_or_id(real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"benchmark": "temporal", "item": 1, "output": "2pm to 8pm"},
        {"benchmark": "aime", "item": "2024-II-4", "output": "33"},
    ]
    path = written(tmp_path, *rows, {"benchmark": "folio", "item": 999, "output": "Answer: True"})
    assert cli.main(["grade", path, "--json", "--data", str(real_data)]) == 1
    said = capsys.readouterr()
    assert [json.loads(line)["correct"] for line in said.out.splitlines()] == [True, True]
    assert "folio has no question 999" in said.err


def test_a_terminal_gets_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert cli.main(["grade", written(tmp_path, *ROWS)]) == 0
    out = capsys.readouterr().out
    assert "5 rows graded, 2 of 4 right; 0 could not be read." in out and "boxed" in out


def test_rows_of_one_model_tell_of_each_other_whether_thinking_was_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"benchmark": "aime", "model": "R1", "gold": 72, "output": "24+48.</think>\\boxed{72}"},
        {
            "benchmark": "aime",
            "model": "R1",
            "gold": 72,
            "output": "24+48, so the answer is \\boxed{72}.",
            "finish_reason": "stop",
        },
        {"benchmark": "aime", "model": "R1", "gold": 72, "output": "24+48, so the answer is \\boxed{72}. Or perhaps"},
        {"benchmark": "aime", "model": "R1", "gold": 72, "output": "\\boxed{72}", "prompt": "How many?<think>\n\n</think>\n\n"},
        {"benchmark": "aime", "model": "another", "gold": 72, "output": "\\boxed{72}"},
        {"benchmark": "aime", "gold": 72, "output": "24+48, so the answer is \\boxed{72}."},
    ]
    assert cli.main(["grade", written(tmp_path, *rows), "--json"]) == 0
    assert [(row["ending"], row["correct"]) for row in graded(capsys)] == [
        ("answered", True),
        ("ended_in_thinking", False),
        ("cut_in_thinking", False),
        ("no_thinking", True),
        ("no_thinking", True),
        ("no_thinking", True),
    ]
