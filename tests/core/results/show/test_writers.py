"""Every format of a table: nothing in a name or number breaks it, and the counts stay in sight."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import cli
from core.results.show.sheets import Cell, Sheet, scores_sheets
from core.results.show.writers import csv_text, html_table, latex, markdown
from core.results.tables.scores import scores_rows
from tests.core.results.show.test_narrow import drawn
from tests.helpers.book import Book, graded

HOSTILE = "=HYPERLINK(\"x\")<script>alert('&')</script>|*a*_b_\\end{table}$%#~^\x1b[2J"


def sheet(text: str) -> Sheet:
    return Sheet("name", text, text, ("Variant", text), ((Cell(text), Cell(text, (text,), strong=True)),))


@given(st.text(max_size=40))
def test_any_text_keeps_every_format_whole(text: str) -> None:
    one = sheet(text)
    table = html_table(one)
    assert table.count("<td") == 2 and table.count("<script") == 0
    assert [len(re.split(r"(?<!\\)\|", line)) for line in markdown(one).split("\n") if line.startswith("|")] == [4, 4, 4]
    body = latex(one)
    assert body.count("\\end{table}") == 1
    assert not re.search(r"(?<!\\)[$%#^~]", body.replace("% \\usepackage", ""))
    [row] = csv.DictReader(io.StringIO(csv_text([{"a": text}])))
    assert not re.match(r"\s*[=+\-@]", row["a"])


def test_hostile_text_is_harmless() -> None:
    shown = html_table(sheet(HOSTILE)) + markdown(sheet(HOSTILE)) + latex(sheet(HOSTILE)) + csv_text([{"x": HOSTILE}])
    assert "<script" not in html_table(sheet(HOSTILE)) and "\x1b" not in shown
    html.parser.HTMLParser().feed(html_table(sheet(HOSTILE)))
    assert "'=HYPERLINK" in csv_text([{"x": HOSTILE}])
    assert "\\end{table}$" not in latex(sheet(HOSTILE))


def test_csv_has_a_column_a_number() -> None:
    [row] = csv.DictReader(io.StringIO(csv_text([{"a": -1.5, "x_ci": [1.0, 2.0], "b": {"c": None, "d": [1, 2]}}])))
    assert row == {"a": "-1.5", "x_low": "1.0", "x_high": "2.0", "b_c": "", "b_d": "1 2"}


def fill(book: Book) -> None:
    for compression, right in (("none", 9), ("q4_0", 7)):
        run = [*graded(1, right), *graded(0, 9 - right), *graded(0, 1, parsed=None), {"finish_reason": "error"}]
        book.run(book.variant(compression), "aime", run)


@pytest.mark.parametrize("write", [markdown, latex, html_table, lambda s: drawn([s], 160)])
def test_unparsed_and_unfinished_are_always_in_sight(book: Book, write: object) -> None:
    fill(book)
    [one] = scores_sheets(scores_rows(book.reader))
    assert callable(write)
    text = " ".join(write(one).split())
    for part in ("90.0", "70.0", "10 of 11", "unfinished", "1 unparsed", "1 failed"):
        assert part in text


def test_the_best_is_bold(book: Book) -> None:
    fill(book)
    [one] = scores_sheets(scores_rows(book.reader))
    assert "\\textbf{90.0}" in latex(one) and "\\textbf{70.0}" not in latex(one)
    assert "**90.0**" in markdown(one) and "<b>90.0</b>" in html_table(one)


@pytest.mark.parametrize("command", ["scores", "lengths", "lengths --deciles", "scores --published"])
@pytest.mark.parametrize("form", ["table", "csv", "markdown", "latex", "json", "html"])
def test_every_table_in_every_format(book: Book, capsys: pytest.CaptureFixture[str], command: str, form: str) -> None:
    fill(book)
    assert cli.main([*command.split(), "--db", str(book.path), "--format", form]) == 0
    printed = capsys.readouterr().out
    assert "pocket" in printed
    if form == "json":
        assert json.loads(printed)[0]["variant"] == "pocket none"
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(printed)))
        assert len(rows) >= 2 and None not in rows[0]


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t=", "\t＝", " ＠"])
def test_nothing_in_a_cell_is_a_formula(first: str) -> None:
    assert csv_text([{"x": f"{first}1"}]).splitlines()[1].lstrip('"').startswith("'")
