"""The report folder: read without lrm-tui, every number with its origin."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.text import Text

from core import cli
from core.results.show.drawing import png, svg
from core.results.show.labels import DOT, Box, Labels
from core.results.show.plots import Plot, Point, Series, curves, front, tenths, ticks
from core.results.show.terminal_plot import terminal_plot, text_plot
from core.results.tables.budgets import budget_rows
from core.results.tables.collapse_points import points
from core.results.tables.flips import flips
from core.results.tables.lengths import deciles_rows
from core.results.tables.recommend import recommend
from tests.helpers.book import Book, graded, stopped

XMLNS = 'xmlns="http://www.w3.org/2000/svg"'


def fill(book: Book) -> None:
    for compression, right in (("none", 9), ("magnitude-30", 8), ("magnitude-50", 1), ("q4_0", 8)):
        variant = book.variant(compression, bytes=right * 10**9, sha256=f"abc{right}")
        for name in ("aime", "folio", "temporal"):
            book.run(variant, name, [*graded(1, right), *graded(0, 9 - right), stopped()], engine_version="llama.cpp 1")


def test_a_report_holds_tables_plots_and_origins(book: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(book)
    folder = tmp_path / "report"
    assert cli.main(["export", str(folder), "--published", "--db", str(book.path), "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert {file.name for file in folder.iterdir()} == set(files)
    origin = json.loads((folder / "provenance.json").read_text())
    assert len(origin["runs"]) == 12 and origin["runs"][0]["weights_sha256"] == "abc9" and origin["versions"]["schema"]
    rows = list(csv.DictReader((folder / "scores.csv").open()))
    own = [row for row in rows if row["origin"] == "measured"]
    assert {row["run"] for row in own} == {str(run["run"]) for run in origin["runs"]}
    assert {row["origin"] for row in rows} == {"measured", "published", "recorded"}
    page = (folder / "index.html").read_text()
    assert page.count("<svg") == 8 and "run 12" in page and "src=" not in page and "http" not in page.replace(XMLNS, "")
    assert set(re.findall(r'href="([^"]*)"', page)) == {f"#{name}" for name in re.findall(r'<section id="([^"]*)"', page)}
    for plot in folder.glob("*.svg"):
        xml.parse(plot)
        assert plot.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert "\\toprule" in (folder / "lengths-30.tex").read_text()
    assert (folder / "collapse-points.csv").read_text().count("collapsed") == 3
    ends = list(csv.DictReader((folder / "lengths-30.csv").open()))
    assert {row["origin"] for row in ends} == {"", "published", "recorded"} and "Table 4" in (
        folder / "lengths-30.tex"
    ).read_text()


def test_an_older_report_is_replaced_and_other_folders_are_refused(book: Book, tmp_path: Path) -> None:
    fill(book)
    folder = tmp_path / "report"
    arguments = ["export", str(folder), "--db", str(book.path)]
    assert cli.main([*arguments, "--published"]) == 0
    assert "published" in (folder / "scores.csv").read_text()
    book.writer.execute("UPDATE artifacts SET compression = 'q8_0' || id WHERE id IN (2, 3)")
    assert cli.main([*arguments]) == 0
    assert not list(folder.glob("sparsity-*.svg")) and "published" not in (folder / "scores.csv").read_text()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    assert cli.main(["export", str(tmp_path / "mine"), "--db", str(book.path)]) == 2
    assert cli.main(["export", str(tmp_path / "mine" / "notes.txt"), "--db", str(book.path)]) == 2


def test_the_page_opens_with_three_sentences_and_ends_with_methods(book: Book, tmp_path: Path) -> None:
    fill(book)
    page = tmp_path / "report.html"
    arguments = ["export", str(page), "--single-file", "--db", str(book.path)]
    assert cli.main(arguments) == cli.main(arguments) == 0, "an older report is replaced"
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".html"] == ["report.html"]
    text = page.read_text()
    opening = re.search(r'<p class="summary">(.*?)</p>', text)
    assert opening is not None
    compared, out, sure = re.split(r"(?<=\.) (?=[A-Z])", opening[1])[:3]
    assert "pocket q4_0" in compared and "AIME 2024" in compared and "120 responses" in compared
    assert "pocket none" in out and "keeps least" in out
    assert "claims" in sure and "5 %" in sure
    places = [text.index(f'id="{name}"') for name in ("plots", "scores", "flips", "methods", "provenance")]
    assert places == sorted(places) and "published" not in text
    (tmp_path / "mine.html").write_text("<p>mine</p>")
    assert cli.main(["export", str(tmp_path / "mine.html"), "--single-file", "--db", str(book.path)]) == 2
    assert (tmp_path / "mine.html").read_text() == "<p>mine</p>"


def test_ten_flips_are_shown_from_every_pair_in_turn(book: Book) -> None:
    for compression, right in (("none", 9), ("q4_0", 7), ("magnitude-50", 1)):
        variant = book.variant(compression)
        for name in ("folio", "temporal"):
            rows = graded(1, right) + graded(0, 10 - right)
            book.run(variant, name, [{**row, "text": f"{compression} says {at}"} for at, row in enumerate(rows)])
    shown = flips(book.reader)
    assert len(shown) == 10 and len({(one["benchmark"], one["key"]) for one in shown}) == 10
    assert {(one["compressed"]["label"], one["benchmark"]) for one in shown[:4]} == {
        (f"pocket {compression}", name) for compression in ("q4_0", "magnitude-50") for name in ("folio", "temporal")
    }
    assert not any(one["gained"] for one in shown)
    assert shown[0]["dense"]["text"].startswith("none says") and not shown[0]["compressed"]["text"].startswith("none")


def test_a_budget_curve_is_the_score_of_what_ended_within_the_limit(book: Book) -> None:
    rows = [{**graded(1)[0], "thinking_tokens": 10 * n, "answer_tokens": 0} for n in range(1, 11)]
    rows.append({**graded(0)[0], "finish_reason": "length", "thinking_tokens": 100, "answer_tokens": 0})
    book.run(book.variant(), "folio", rows)
    [row] = budget_rows(book.reader)
    assert row["unit"] == "tokens" and row["points"][0] == {"limit": 10.0, "score": pytest.approx(100 / 11)}
    for point in row["points"]:
        assert point["score"] == pytest.approx(100 * (point["limit"] // 10) / 11)
    assert row["points"][-1] == {"limit": 100.0, "score": pytest.approx(1000 / 11)}


@given(st.lists(st.tuples(st.floats(60, 540), st.floats(40, 290)), min_size=1, max_size=40))
def test_labels_never_stand_on_one_another_or_on_a_point(points: list[tuple[float, float]]) -> None:
    labels = Labels((56, 36, 544, 292), points)
    for point in points:
        labels.place(point, "1")
    boxes = labels.taken
    squares = [(x - DOT, y - DOT, x + DOT, y + DOT) for x, y in points]
    pairs = [(one, other) for at, one in enumerate(boxes) for other in (*boxes[at + 1 :], *squares)]
    assert not [pair for pair in pairs if meet(*pair)]


def meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_an_empty_store_makes_an_empty_report(book: Book, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    assert cli.main(["export", str(folder), "--db", str(book.path)]) == 0
    assert {file.name for file in folder.glob("*.csv")} <= {"scores.csv", "findings.csv"}, "no file that holds nothing"


@given(st.text(max_size=20), st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 100)), max_size=6))
def test_plots_of_anything_are_well_formed(name: str, places: list[tuple[float, float]]) -> None:
    plot = Plot("p", name, name, (Series(name, tuple(Point(x, y, y, y) for x, y in places), span=(1, 2)),) * 2)
    xml.fromstring(svg(plot))
    assert text_plot(plot).plain.count("\n") >= 20


def test_a_picture_has_its_size_and_its_colours() -> None:
    plot = Plot("p", "Title", "x", (Series("a", (Point(0, 50, 40, 60), Point(10, 20)), span=(0, 10)), Series("b", ())))
    with Image.open(io.BytesIO(png(plot))) as image:
        colours = {colour for _, colour in image.getcolors(1 << 20) or []}
        assert image.width == 1120 and {(255, 255, 255), (0x1B, 0x6C, 0xA8)} <= colours


@pytest.mark.parametrize(
    ("height", "marks"),
    [(5, ["100"]), (6, ["100", "0"]), (7, ["100", "50", "0"]), (8, ["100", "50", "0"]), (9, ["100", "75", "50", "25", "0"])],
)
def test_a_low_plot_has_no_more_marks_than_rows(height: int, marks: list[str]) -> None:
    drawn = Text.from_ansi(terminal_plot([Series("a", (Point(0, 100), Point(50, 20)))], 60, height, "x"))
    assert re.findall(r"(?m)^ *(\d+)┤", drawn.plain) == marks


def test_curves_mark_where_a_family_collapses(book: Book) -> None:
    fill(book)
    [plot] = curves(points(book.reader))
    assert plot.title == "pocket magnitude: score over sparsity"
    assert [one.span for one in plot.series] == [(30, 50)] * 3
    text = text_plot(plot, 60, 16).plain
    assert "1 aime, collapses between 30 and 50 % (bar)" in text
    assert max(map(len, text.splitlines())) <= 60 and not any("\x1b" in line for line in text)


def test_tenths_are_drawn_by_benchmark_a_line_a_variant_a_few_at_a_time(book: Book) -> None:
    for bits in range(8):
        book.run(book.variant(f"q{bits}"), "folio", graded(1, 20))
    plots = tenths(deciles_rows(book.reader))
    assert [len(plot.series) for plot in plots] == [6, 2]
    assert plots[1].title == "folio: score by tenth of length, part 2 of 2"
    assert [point.x for point in plots[0].series[0].points] == list(range(1, 11))


def test_the_front_is_a_line_through_numbered_points(book: Book) -> None:
    fill(book)
    plot = front(recommend(book.reader, 1e12)["front"])
    assert [one.joined for one in plot.series] == [True, False, False, False, False]
    assert "\n1 pocket magnitude-50" in text_plot(plot).plain


@given(st.floats(0, 100), st.floats(1e-3, 1e6))
def test_ticks_are_few_and_inside(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 11 and low - 1e-6 * span <= found[0] and found[-1] <= low + span * (1 + 1e-6)
