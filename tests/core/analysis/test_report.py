"""The report folder: read without lrm-tui, every number with its origin."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import cli
from core.analysis.plots import Point, Series, svg, ticks
from tests.core.analysis.book import Book, graded, stopped


def fill(book: Book) -> None:
    for compression, right in (("none", 9), ("magnitude-30", 8), ("magnitude-50", 1), ("q4_0", 8)):
        variant = book.variant(compression, bytes=right * 10**9, sha256=f"abc{right}")
        for name in ("aime", "folio", "temporal"):
            book.run(variant, name, [*graded(1, right), *graded(0, 9 - right), stopped()], engine_version="llama.cpp 1")


def test_a_report_holds_tables_plots_and_origins(book: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(book)
    folder = tmp_path / "report"
    assert cli.run(cli.parse(["export", str(folder), "--db", str(book.path), "--json"])) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert {file.name for file in folder.iterdir()} == set(files)
    origin = json.loads((folder / "provenance.json").read_text())
    assert len(origin["runs"]) == 12 and origin["runs"][0]["weights_sha256"] == "abc9" and origin["versions"]["schema"]
    rows = list(csv.DictReader((folder / "scores.csv").open()))
    own = [row for row in rows if row["origin"] == "measured"]
    assert {row["run"] for row in own} == {str(run["run"]) for run in origin["runs"]}
    assert {row["origin"] for row in rows} == {"measured", "published"}
    page = (folder / "index.html").read_text()
    assert page.count("<svg") == 2 and "run 12" in page and "src=" not in page and "href=" not in page
    for plot in folder.glob("*.svg"):
        xml.parse(plot)
    assert "\\toprule" in (folder / "lengths-30.tex").read_text()
    assert (folder / "collapse-points.csv").read_text().count("collapsed") == 3


def test_an_older_report_is_replaced_and_other_folders_are_refused(book: Book, tmp_path: Path) -> None:
    fill(book)
    folder = tmp_path / "report"
    arguments = ["export", str(folder), "--db", str(book.path)]
    assert cli.run(cli.parse([*arguments])) == 0
    book.writer.execute("UPDATE variants SET compression = 'q8_0' || id WHERE id IN (2, 3)")
    assert cli.run(cli.parse([*arguments, "--without-published"])) == 0
    assert not list(folder.glob("sparsity-*.svg")) and "published" not in (folder / "scores.csv").read_text()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    assert cli.run(cli.parse(["export", str(tmp_path / "mine"), "--db", str(book.path)])) == 2
    assert cli.run(cli.parse(["export", str(tmp_path / "mine" / "notes.txt"), "--db", str(book.path)])) == 2


def test_an_empty_store_makes_an_empty_report(book: Book, tmp_path: Path) -> None:
    assert cli.run(cli.parse(["export", str(tmp_path / "report"), "--db", str(book.path)])) == 0


@given(st.text(max_size=20), st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 100)), max_size=6))
def test_plots_are_well_formed(name: str, points: list[tuple[float, float]]) -> None:
    xml.fromstring(svg(name, name, name, [Series(name, tuple(Point(x, y, y, y) for x, y in points))]))


@given(st.floats(0, 100), st.floats(1e-3, 1e6))
def test_ticks_are_few_and_inside(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 11 and low - 1e-6 * span <= found[0] and found[-1] <= low + span * (1 + 1e-6)
