"""The tables of the command line: everything in sight at 80 columns, nothing that a terminal would act on."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Sequence

import pytest
from rich.console import Console

from core.results.rows import CollapseCell, LengthRow, ScoreRow
from core.results.show import narrow
from core.results.show.layout import NAMES, SheetTable
from core.results.show.sheets import Sheet, collapse_sheet, deciles_sheet, scores_sheets
from core.results.show.sheets_findings import compare_sheet, findings_sheets, points_sheet
from core.results.tables.collapse_points import points
from core.results.tables.compare import compare
from core.results.tables.differences import with_differences
from core.results.tables.findings import findings
from core.results.tables.lengths import deciles_rows, lengths_rows
from core.results.tables.loops import collapse_cells
from core.results.tables.published import published_rows
from core.results.tables.scores import scores_rows
from tests.helpers.book import Book, graded, stopped

PAPER = ("aime", "folio", "temporal", "musique")
MINI = ("pocket-arithmetic", "pocket-logic", "pocket-temporal", "pocket-facts")


def drawn(sheets: Sequence[Sheet], width: int = 80, color: bool = False) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=color, color_system="standard" if color else None)
    for sheet in sheets:
        console.print(SheetTable(sheet))
    return file.getvalue()


def scores_table(rows: Sequence[ScoreRow]) -> list[Sheet]:
    return narrow.scores_sheets(rows)


def lengths_table(rows: Sequence[LengthRow]) -> list[Sheet]:
    return [narrow.lengths_sheet(rows)]


def collapse_table(cells: Sequence[CollapseCell]) -> list[Sheet]:
    return [narrow.collapse_sheet(cells)]


def answers(name: str, right: int, of: int) -> list[dict[str, object]]:
    if name in ("musique", "pocket-facts"):
        return [
            {
                "finish_reason": "stop",
                "parsed": "x",
                "em": float(i < right),
                "f1": float(i < right),
                "answer_words": 9 + i,
            }
            for i in range(of)
        ]
    return graded(1, right, words=1_234) + graded(0, of - right, words=20_000)


def fill(book: Book, benchmarks: Sequence[str]) -> None:
    for compression, right in (("none", 90), ("q4_0", 80), ("magnitude-50", 10)):
        variant = book.variant(compression, model="R1-Distill-Llama-8B", bits_per_weight=16.0, sparsity=0.5)
        for name in benchmarks:
            book.run(variant, name, answers(name, right, 100))


@pytest.mark.parametrize("width", [80, 100, 200])
def test_scores_of_both_suites_fit(book: Book, width: int) -> None:
    fill(book, PAPER + MINI)
    shown = drawn(scores_table(scores_rows(book.reader)), width)
    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    for text in ("The paper's benchmarks", "Mini-suite", "90.0", "80.0", "10.0", "n 100", "83-95", "50 % zeros"):
        assert text in shown
    assert "magnitude-50" in shown and "arithmetic" in shown and "EM / F1" in shown


def test_incomplete_runs_unparsed_and_failed_responses_are_marked_in_words(book: Book) -> None:
    book.run(book.variant(), "aime", [*graded(1, 3), *graded(0, 2, parsed=None), {"finish_reason": "error"}, {}])
    shown = drawn(scores_table(scores_rows(book.reader)))
    for text in ("60.0", "5 of 7", "unfinished", "2 unparsed", "1 failed"):
        assert text in shown


def test_the_best_score_of_a_column_is_bold(book: Book) -> None:
    fill(book, ("aime",))
    shown = drawn(scores_table(scores_rows(book.reader)), color=True)
    assert "\x1b[1m90.0" in shown
    assert "\x1b[1m80.0" not in shown


def test_engines_are_named_only_where_a_name_ran_on_several(book: Book) -> None:
    one = book.variant()
    book.run(one, "aime", graded(1))
    assert "llama.cpp" not in drawn(scores_table(scores_rows(book.reader)))
    book.run(one, "aime", graded(1), engine="transformers")
    shown = drawn(scores_table(scores_rows(book.reader)))
    assert "llama.cpp" in shown and "transformers" in shown


def test_lengths_and_loops_fit(book: Book) -> None:
    fill(book, PAPER)
    book.run(book.variant("q8_0", model="R1-Distill-Llama-8B"), "temporal", [stopped(), *graded(1, 9)])
    lengths = drawn(lengths_table(lengths_rows(book.reader, 20)))
    loops = drawn(collapse_table(collapse_cells(book.reader)))
    for shown in (lengths, loops):
        assert max(map(len, shown.splitlines())) <= 80
        assert "…" not in shown
    assert "20 %" in lengths and "1,234" in lengths and "20,000" in lengths and "1/10" in lengths
    assert "10.0 %" in loops and "1 of 10" in loops


def test_a_loop_of_a_few_characters_has_a_period(book: Book) -> None:
    book.run(
        book.variant(), "temporal", [stopped(text="well " * 10 + "wel" * 60, loop_unit="l", loop_period=1, loop_count=180)]
    )
    cells = collapse_cells(book.reader)
    assert 0 < cells[0]["period_words"] < 0.5
    row = collapse_sheet(cells).rows[0]
    assert "<1" in [cell.text for cell in row] and "<1" in drawn(collapse_table(cells))


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_nothing_is_cut_and_no_word_is_split(book: Book, width: int) -> None:
    """A narrow terminal folds between words: a name, an id, a number or a head stands whole, however narrow it is."""
    fill(book, PAPER + MINI)
    for row in (reader := book.reader).execute("SELECT id FROM variants").fetchall():
        book.run(row[0], "pocket-arithmetic", [*graded(1, 45, words=9), *graded(0, 42, parsed=None, words=17_000), stopped()])
    scores = [*with_differences(scores_rows(reader)), *published_rows()]
    names = [f"R1-Distill-Llama-8B {compression}" for compression in ("none", "magnitude-50")]
    sheets = [deciles_sheet(deciles_rows(reader)), compare_sheet(compare(reader, *names)), points_sheet(points(reader))]
    sheets += [*findings_sheets(findings(reader)), *scores_sheets(scores)]
    tables = [scores_table(scores), lengths_table(lengths_rows(reader)), collapse_table(collapse_cells(reader))]
    for table in [*tables, *([sheet] for sheet in sheets)]:
        shown = drawn(table, width)
        assert max(map(len, shown.splitlines())) <= width
        words = set(re.split(r"[\s(),;]+", shown))
        for sheet in table:
            cells = [part for row in sheet.rows for cell in row for part in (cell.text, *cell.lines, *cell.notes)]
            missing = {word for text in (*cells, *sheet.heads[NAMES:]) for word in re.split(r"[\s(),;]+", text)} - words
            assert not missing, shown


def test_hostile_names_are_made_safe(book: Book) -> None:
    variant = book.variant("q4_0", model="[/bold]\x1b[2J\u202eevil")
    book.run(variant, "aime", [stopped(), *graded(1, 9)])
    tables = scores_table(scores_rows(book.reader)), lengths_table(lengths_rows(book.reader))
    for table in (*tables, collapse_table(collapse_cells(book.reader))):
        shown = drawn(table)
        assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf") and c != "\n"]
        assert "[/bold]" in shown.replace("\n", "")


def test_an_empty_store_draws_empty_tables(book: Book) -> None:
    for table in (
        scores_table(scores_rows(book.reader)),
        lengths_table(lengths_rows(book.reader)),
        collapse_table(collapse_cells(book.reader)),
    ):
        assert "90" not in drawn(table)
