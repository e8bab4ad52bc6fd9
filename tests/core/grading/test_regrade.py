"""Grading again: changed grades are written, old ones are kept, and what is right already is left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import cli
from core.grading.regrade import COLUMNS, former, regrade
from core.results.summary_cache import cache_ended, cached_summaries
from core.results.tables.changes import preview
from core.results.tables.scores import scores_rows
from core.store.columns import FormerGrade
from tests.helpers.book import Book

TEXT = "thought\n</think>\n\nThe answer is (B)."


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """Two runs of Temporal, graded by rules that took the letter A from everything."""
    book = Book(tmp_path / "runs.db")
    fields = json.dumps({"question": "When?\nOptions:\n(A) 1pm to 2pm\n(B) 2pm to 3pm"})
    for key in range(3):
        book.insert("items", benchmark="temporal", key=str(key), revision="r", fields=fields, gold='["B"]')
    wrong = {"finish_reason": "stop", "parsed": "A", "rule": "old", "correct": 0, "span_start": 0, "span_end": 1, "text": TEXT}
    book.run(book.variant(), "temporal", [wrong, wrong, {}], state="done")
    book.run(book.variant("q4_0"), "temporal", [{**wrong, "finish_reason": "length", "text": "cut off"}], state="done")
    yield book
    book.reader.close()
    book.writer.close()


def grades(book: Book) -> list[tuple[object, ...]]:
    return [tuple(row) for row in book.reader.execute(f"SELECT {', '.join(COLUMNS)} FROM responses ORDER BY id")]


def test_changed_grades_are_written_and_the_old_ones_kept(book: Book) -> None:
    cache_ended(book.writer)
    first, second = regrade(book.writer)
    assert (first.responses, first.changed, first.better, first.worse) == (2, 2, 2, 0)
    assert (second.responses, second.changed, second.better, second.worse) == (1, 1, 0, 0)
    row = book.reader.execute("SELECT parsed, correct, rule FROM responses WHERE id = 1").fetchone()
    assert tuple(row) == ("B", 1, "statement")
    [old] = former(book.reader, 1)
    assert old.keys() == FormerGrade.__annotations__.keys()
    assert (old["parsed"], old["rule"], old["correct"], old["span_end"]) == ("A", "old", 0, 1)
    assert old["replaced_by"].startswith("lrm-tui ")
    assert cached_summaries(book.reader) == {} and scores_rows(book.reader)[0]["benchmarks"]["temporal"]["accuracy"] == 100.0


def test_a_second_time_changes_nothing(book: Book) -> None:
    regrade(book.writer)
    before = grades(book)
    assert sum(run.changed for run in regrade(book.writer)) == 0
    assert grades(book) == before and len(former(book.reader, 1)) == 1


def test_a_dry_run_writes_nothing(book: Book) -> None:
    before = grades(book)
    assert [run.changed for run in regrade(book.writer, dry=True)] == [2, 1]
    assert grades(book) == before and former(book.reader, 1) == []


def test_a_dry_run_shows_each_change_and_the_score_before_and_after(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    before = grades(book)
    assert cli.main(["regrade", "--dry-run", "--db", str(book.path)]) == 0
    out = capsys.readouterr().out
    assert "2 of 2 grades changed: 2 better, 0 worse; mean 0.0 → 100.0" in out
    assert "response 1, question 0: 'A' (old) → 'B' (statement), worth 0 → 1" in out
    assert "'A' (old) → nothing (no rule), worth 0 → 0" in out and "3 grades would change, 3 endings." in out
    assert cli.main(["regrade", "--dry-run", "--json", "--db", str(book.path)]) == 0
    first = json.loads(capsys.readouterr().out)[0]
    assert [change["parsed"] for change in first["changes"]] == [["A", "B"]] * 2 and (first["before"], first["after"]) == (0, 2)
    assert grades(book) == before


def test_an_answer_that_was_cut_is_graded_as_one(book: Book) -> None:
    text = "thought\n</think>\n\nSo it must be (B)"
    book.writer.execute("UPDATE response_texts SET text = ?", (text,))
    book.writer.commit()
    stopped, cut = regrade(book.writer)
    assert (stopped.better, cut.better, cut.changed) == (2, 0, 1)


def test_the_command_takes_runs_and_show_tells_what_a_grade_was(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    db = ["--db", str(book.path)]
    assert cli.main(["regrade", "1", *db]) == 0
    assert "2 of 2 grades changed: 2 better, 0 worse" in capsys.readouterr().out
    assert former(book.reader, 4) == []
    assert cli.main(["show", "--response", "1", *db]) == 0
    assert "A by rule old, worth 0" in capsys.readouterr().out
    assert cli.main(["regrade", "--json", *db]) == 0
    assert [run["changed"] for run in json.loads(capsys.readouterr().out)] == [0, 1]


def test_an_unknown_run_is_refused_before_another_is_graded(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    before = grades(book)
    assert cli.main(["regrade", "1", "9", "7", "--db", str(book.path)]) == 2
    assert "There is no run 7, 9." in capsys.readouterr().err
    assert grades(book) == before and former(book.reader, 1) == []


def test_without_a_store_there_is_nothing_to_grade(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["regrade", "--db", str(tmp_path / "none.db")]) != 0
    assert "There is no store" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_endings_of_a_store_of_before_are_filled_once(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    """Run 1 closes its thinking, so an open sibling is thinking; a kept grade gets its ending without a former grade."""
    open_text = {"finish_reason": "stop", "answer_start": 0, "thinking_words": 0, "text": "At 2pm. The answer is (B)."}
    right = {"parsed": "B", "rule": "statement", "correct": 1, "span_start": 15, "span_end": 18}
    closed = {"finish_reason": "stop", "answer_start": 16, "thinking_words": 1, "text": TEXT}
    run = book.run(book.variant("awq-4bit"), "temporal", [{**closed, **right}, {**open_text, **right}], state="done")
    [dry] = regrade(book.writer, [run], dry=True)
    assert (dry.endings, dry.unknown, dry.before, dry.after) == (2, 2, 2, 1)
    [told] = regrade(book.writer, [run])
    assert (told.endings, told.worse) == (2, 1)
    sql = "SELECT ending, prompt_thinking, answer_start, thinking_words, lenient_credit FROM responses WHERE job_id = ? ORDER BY id"
    first, second = (tuple(row) for row in book.reader.execute(sql, (run,)))
    assert first[:2] == ("answered", None) and second == ("ended_in_thinking", "opened", None, 6, 1.0)
    [again] = regrade(book.writer, [run])
    assert (again.changed, again.endings) == (0, 0)
    assert cli.main(["regrade", "--dry-run", str(run), "--db", str(book.path)]) == 0
    assert "0 of 2 grades changed" in capsys.readouterr().out


def test_a_stored_prompt_tells_whether_thinking_was_open(book: Book) -> None:
    book.writer.execute(
        "UPDATE response_texts SET prompt = 'When?<think>\n', text = 'The answer is (B).' WHERE response_id = 1"
    )
    book.writer.commit()
    regrade(book.writer)
    row = book.reader.execute("SELECT ending, prompt_thinking, correct FROM responses WHERE id = 1").fetchone()
    assert tuple(row) == ("ended_in_thinking", "opened", 0)


def test_the_cells_that_would_change_are_shown_and_nothing_is_written(book: Book, tmp_path: Path) -> None:
    before, table = grades(book), scores_rows(book.reader)
    _, cells = preview(tmp_path / "runs.db", None, lambda run: None)
    assert grades(book) == before and scores_rows(book.reader) == table
    changed = {(cell["row"], cell["benchmark"], cell["figure"]): (cell["before"], cell["after"]) for cell in cells}
    dense = table[0]["label"]
    assert changed[dense, "temporal", "accuracy"] == (0.0, 100.0) and changed[dense, "temporal", "ended_score"] == (0.0, 100.0)
    regrade(book.writer)
    after = {row["label"]: row["benchmarks"]["temporal"] for row in scores_rows(book.reader)}
    for (row, _, figure), (_, new) in changed.items():
        if figure in after[row]:
            assert after[row][figure] == new  # type: ignore[literal-required]
    _, none = preview(tmp_path / "runs.db", None, lambda run: None)
    assert none == []


def test_the_preview_of_tables_is_a_command(book: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["regrade", "--tables", "--db", str(tmp_path / "runs.db")]
    assert cli.main(arguments) == 0
    assert "accuracy (scores)" in capsys.readouterr().out
    assert cli.main([*arguments, "--json"]) == 0
    assert {"table", "row", "benchmark", "run", "figure", "before", "after"} == set(json.loads(capsys.readouterr().out)[0])
