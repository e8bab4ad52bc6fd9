"""What is wrong with a command line is said in one line, with what was probably meant, and with one exit code for each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import cli
from tests.helpers.book import Book, graded

RUN = "add --model pocket --benchmark pocket-facts"
WRONG = [
    ("scroes", 2, "Did you mean 'scores'?"),
    ("frobnicate", 2, "No such command"),
    ("scores --formt csv", 2, "Did you mean '--format'?"),
    ("scores --format cvs", 2, "Did you mean 'csv'?"),
    ("scores --edition v9", 2, "'v1'"),
    ("lengths --q sixty", 2, "not a valid float"),
    ("lengths --q 60", 2, "at most 50"),
    ("recommend", 2, "Missing option '--memory'"),
    ("recommend --memory 24XB", 2, "24GB"),
    ("cancel", 2, "Missing argument"),
    ("cancel 99999", 2, "There is no job 99999"),
    ("show abc", 2, "not a valid integer"),
    ("show 9999", 2, "There is no job 9999"),
    ("show --response 9999", 2, "There is no response 9999"),
    ("add --benchmark pocket-facts", 2, "Missing option '--model'"),
    ("add --model pockett --benchmark pocket-facts", 2, "Did you mean 'pocket'?"),
    ("add --model pocket --benchmark pocket-fcts", 2, "Did you mean 'pocket-facts'?"),
    (f"{RUN} --compression q4_q", 2, "Did you mean 'q4_1'?"),
    (f"{RUN} --max-tokens 0", 2, "tokens >= 1"),
    (f"{RUN} --temperature 9", 2, "Give 0 to 2"),
    ("responses bogus:4", 2, "no filter bogus"),
    (f"{RUN} --engine vlm", 2, "Did you mean 'vllm'?"),
    ("compare none q9_9", 2, "q9_9"),
    ("regrade 99999", 2, "There is no run 99999"),
    ("import nowhere.jsonl", 2, "There is no nowhere.jsonl"),
    ("scan nowhere", 2, "nowhere does not exist"),
    ("grade nowhere", 2, "nowhere is no file"),
    ("completion ksh", 2, "'zsh'"),
    ("scores --db elsewhere.db", 2, "There is no store"),
]


@pytest.mark.parametrize(("line", "code", "sentence"), WRONG, ids=[line for line, _, _ in WRONG])
def test_a_wrong_line_has_a_one_line_answer(
    book: Book, line: str, code: int, sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    book.run(book.variant(), "folio", graded(1, 2), state="done")
    monkeypatch.chdir(book.path.parent)
    monkeypatch.setenv("LRM_DB", str(book.path))
    assert cli.main(line.split()) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1 and sentence in shown.err, shown.err


def test_a_folder_without_a_store_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LRM_DB", raising=False)
    assert cli.main(["scores"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_word_that_is_nearly_a_filter_is_searched_and_doubted(
    book: Book, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    book.run(book.variant(), "folio", graded(1, 2), state="done")
    monkeypatch.setenv("LRM_DB", str(book.path))
    assert cli.main(["responses", "wrongg"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "No such responses.\n" and "Did you mean 'wrong'" in shown.err
