"""Printed results: every cell of the first version as printed, what contradicts itself, editions and spellings."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from benchmarks.registry import names
from core import cli
from core.compress.recipes import FAMILIES, GGUF_TYPES
from core.results.rows import ENDS, ScoreRow
from core.results.stats import pass_at_k
from core.results.tables.names import compression_name, plain_compression, plain_model
from core.results.tables.printed import (
    EDITIONS,
    Edition,
    PrintedCell,
    PrintedEnd,
    PrintedLengths,
    PrintedPoint,
    PrintedScores,
)
from core.results.tables.published import Q_OF_TABLE, published_lengths, published_rows, same_variant, tables
from core.results.tables.scores import scores_rows
from tests.helpers.book import Book, graded


def test_every_row_names_its_source_and_lies_between_0_and_100() -> None:
    for row in [*tables()["scores"], *tables()["lengths"], *tables()["collapse"]]:
        assert row["source"] in tables()["sources"] and row["table"] in (2, 3, 4, 5)
    for row in (row for edition in EDITIONS for row in published_rows(edition)):
        assert row["origin"] == ("recorded" if row["edition"] == "study" else "published") and row["average_ci"] is None
        for cell in row["benchmarks"].values():
            assert all(0 <= cell[name] <= 100 for name in ("accuracy", "em", "f1") if cell.get(name) is not None)


def test_no_row_has_a_field_that_its_type_does_not_name() -> None:
    benchmarks = set(names())
    for row in tables()["scores"]:
        assert row.keys() - benchmarks <= PrintedScores.__annotations__.keys()
        for cell in (row[name] for name in row.keys() & benchmarks):
            assert isinstance(cell, float) or cell.keys() <= PrintedCell.__annotations__.keys()
    for row in tables()["lengths"]:
        assert row.keys() <= PrintedLengths.__annotations__.keys()
        assert all(row.get(end, {}).keys() <= PrintedEnd.__annotations__.keys() for end in ENDS)
    assert all(row.keys() == PrintedPoint.__annotations__.keys() for row in tables()["collapse"])


def test_scores_are_the_papers_cell_by_cell(real_data: Path) -> None:
    """All 24 rows of Tables 2 and 3, by the copy of the print that lies beside the benchmarks' files."""
    rows = [row for row in tables()["scores"] if row["edition"] == "v1"]
    print_ = printed_rows(real_data, "scores")
    assert len(rows) == len(print_) == 24
    for row, cells in zip(rows, print_, strict=True):
        musique = row["musique"]
        assert str(row["table"]) == cells["table"] and row["compression"] == cells["compression"]
        assert row["family"] == cells["model"] and f"{row['parameters'] / 1e9:g}B" == cells["parameters"]
        assert row["model"] == model_of(cells["model"])
        assert cells["sparsity"] in ("", str(row.get("sparsity")))
        for name in ("aime", "folio", "temporal", "average"):
            assert f"{row[name]:.1f}" == cells[name]
        assert (f"{musique['em']:.1f}", f"{musique['f1']:.2f}") == (cells["musique_em"], cells["musique_f1"])


def test_lengths_are_the_papers_cell_by_cell(real_data: Path) -> None:
    """All 20 rows of Tables 4 and 5, each an entry a benchmark."""
    rows = [row for row in tables()["lengths"] if row["edition"] == "v1"]
    print_ = printed_rows(real_data, "lengths")
    assert len(print_) == 20 and len(rows) == 60
    for cells, entries in zip(print_, (rows[at : at + 3] for at in range(0, 60, 3)), strict=True):
        assert [entry["benchmark"] for entry in entries] == ["aime", "folio", "musique"]
        for entry in entries:
            name, ends = entry["benchmark"], (entry["short"], entry["long"])
            assert (str(entry["table"]), entry["compression"]) == (cells["table"], cells["compression"])
            assert entry["model"] == model_of(cells["model"]) and str(Q_OF_TABLE[entry["table"]]) == cells["q"]
            assert f"{entry['ratio']:.1f}" == cells[f"{name}_ratio"]
            for at, end in zip(("short", "long"), ends, strict=True):
                of = {f"{name}_{at}": "accuracy"} if name != "musique" else {f"musique_{at}_{one}": one for one in ("em", "f1")}
                assert {column: f"{end[score]:.1f}" for column, score in of.items()} == {column: cells[column] for column in of}


def printed_rows(real_data: Path, name: str) -> list[dict[str, str]]:
    """The rows of a copy of the paper's tables; skips where there is none."""
    path = real_data / "paper_tables" / f"{name}.csv"
    if not path.is_file():
        pytest.skip(f"the paper's tables are not at {path}")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def model_of(printed: str) -> str:
    """The paper's models have sizes in their names here."""
    return {"R1-Distill-Llama": "R1-Distill-Llama-70B", "R1-Distill-Qwen": "R1-Distill-Qwen-32B"}.get(printed, printed)


@pytest.mark.parametrize("edition", EDITIONS)
def test_what_contradicts_itself_has_a_note(edition: Edition) -> None:
    """Averages of other parts, shares of no whole number of questions, ends with more right answers than there are."""
    for row in (row for row in published_rows(edition) if row["origin"] == "published"):
        cells = row["benchmarks"]
        shares = {name: cell.get("accuracy", cell.get("em")) for name, cell in cells.items()}
        parts = [shares[name] for name in ("aime", "folio", "temporal") if name in shares]
        odd = len(parts) == 3 and row["average"] != pytest.approx(sum(parts) / 3, abs=0.07)
        for name, share in shares.items():
            trials = cells[name]["n"] * row["passes"]
            odd |= row["passes"] == 1 and abs(round(share * trials / 100) * 100 / trials - share) > 0.0501
            odd |= more_than_all(row, name)
        assert odd == bool(row["note"]), (row["label"], row["note"])


def more_than_all(row: ScoreRow, benchmark: str) -> bool:
    """Whether the ends of Tables 4 or 5 hold more right answers than a row of Tables 2 and 3."""
    cell, score = row["benchmarks"][benchmark], "em" if benchmark == "musique" else "accuracy"
    ends = [r for q in Q_OF_TABLE.values() for r in published_lengths(q, "v1") if same_variant(r, row)]
    at_ends = [sum((r[end][score] or 0) * r["k"] / 100 for end in ENDS) for r in ends if r["benchmark"] == benchmark]
    more = any(hits > cell[score] * cell["n"] / 100 + 0.5 for hits in at_ends)
    assert all(r["note"] for r in ends if r["benchmark"] == benchmark) or not more or row["edition"] != "v1"
    return more and row["edition"] == "v1"


@pytest.mark.parametrize(("edition", "cells"), [("v1", ["81.5", "9.38", "27.51", "0.94"]), ("v3", ["81.5", "10.95", "13.49"])])
def test_every_printed_row_is_in_every_format_as_it_was_printed(
    edition: Edition, cells: list[str], book: Book, capsys: pytest.CaptureFixture[str]
) -> None:
    """F1 has two digits in the paper; of R1 at 1.73 bits v3's average is known alone."""
    book.run(book.variant(), "aime", graded(1))
    for form in ("table", "csv", "markdown", "latex", "html"):
        assert cli.main(["scores", "--edition", edition, "--format", form, "--db", str(book.path)]) == 0
        out = capsys.readouterr().out
        assert all(cell in out for cell in cells), form


def test_one_edition_stands_beside_the_study(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    """`--edition` alone asks for printed numbers; v1 is meant where none is named, in either case of letters."""
    book.run(book.variant("awq-4bit", model="R1-Distill-Llama-8B"), "folio", graded(1, 203))
    expected = {"--published": "v1", "--edition=v3": "v3", "--edition=iclr": "ICLR"}
    for option, edition in expected.items():
        for command in ("scores", "lengths"):
            assert cli.main([command, option, "--json", "--db", str(book.path)]) == 0
            shown = capsys.readouterr()
            assert {row.get("edition") for row in json.loads(shown.out)} <= {None, edition, "study"}
            lacks = edition != "v3" and command == "scores"
            assert ("--edition v3" in shown.err) == lacks, "v1 has no model of 8 B, and no edition its lengths"
    assert cli.main(["scores", "--json", "--db", str(book.path)]) == 0
    assert {row["origin"] for row in json.loads(capsys.readouterr().out)} == {"measured"}
    assert cli.main(["scores", "--edition", "v2", "--db", str(book.path)]) == 2
    assert {row["edition"] for row in tables()["scores"]} == {*EDITIONS, "study"}


def test_an_edition_goes_into_the_report(book: Book, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book.run(book.variant(), "aime", graded(1, 30))
    for edition, mean in (("v1", "63.3"), ("v3", "65.6")):
        folder = tmp_path / edition
        assert cli.main(["export", str(folder), "--edition", edition, "--db", str(book.path)]) == 0
        page = (folder / "index.html").read_text(encoding="utf-8")
        assert f"Table 2, {edition}" in page and mean in page
    assert "Its parts give 76.47" in (tmp_path / "v1" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        *(("-", "none"), ("Distillation", "none"), ("none", "none"), ("Distillation & 50% sparse", "sparsegpt-50")),
        *(("2.51-bit", "dynamic-2.51"), ("dynamic-2.51bit", "dynamic-2.51"), ("dynamic-1.58", "dynamic-1.58")),
        *(("SparseGPT 50 %", "sparsegpt-50"), ("sparsegpt-50", "sparsegpt-50"), ("AWQ 4-bit", "awq-4bit")),
        *(("4-bit AWQ", "awq-4bit"), ("gptq_int4", "gptq-4bit"), ("GPTQ-4bit", "gptq-4bit"), ("gptq-3bit", "gptq-3bit")),
        *(("sparsegpt-50+q4_0", "sparsegpt-50+q4_0"), ("q4_0", "q4_0"), ("wanda-50", "wanda-50"), ("awq", "awq")),
    ],
)
def test_compressions_are_known_by_several_spellings(name: str, ours: str) -> None:
    assert compression_name(name) == ours and plain_compression(name) == plain_compression(ours)


def test_the_default_text_to_calibrate_on_is_known_and_no_other() -> None:
    assert plain_compression("sparsegpt-50@c4") == plain_compression("Distillation & 50% sparse")
    assert plain_compression("sparsegpt-50@traces") != plain_compression("sparsegpt-50")


def test_names_of_our_recipes_stay_as_they_are() -> None:
    for name in (*FAMILIES["sweep"], *GGUF_TYPES, "magnitude-50+q4_0", "sparsegpt-50@c4", "distill-3.4:lora=8"):
        assert compression_name(name) == name


def test_models_are_known_by_several_spellings() -> None:
    for name in ("R1-Distill-Llama-8B", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "deepseek_r1_distill_llama_8b"):
        assert plain_model(name) == plain_model("R1-Distill-Llama-8B")
    assert plain_model("DeepSeek-R1") != plain_model("R1") and plain_model("pocket") != plain_model("pocket-student")


def test_pass_at_k() -> None:
    assert pass_at_k(0, 5, 3) == 0 and pass_at_k(5, 5, 1) == 1 and pass_at_k(3, 5, 3) == 1
    assert pass_at_k(1, 4, 2) == pytest.approx(0.5)


def test_several_samples_a_question(book: Book) -> None:
    run = book.run(book.variant(), "aime", [])
    for position, rights in enumerate([(1, 1), (1, 0), (0, 0), (0, 0)]):
        for sample, right in enumerate(rights):
            [given] = graded(right)
            item = book._item("aime", position)
            book.insert("responses", job_id=run, item_id=item, position=position, sample=sample, seed=0, state="done", **given)
    cell = scores_rows(book.reader)[0]["benchmarks"]["aime"]
    assert (cell["n"], cell["responses"], cell["accuracy"], cell["samples"], cell["pass_at_k"]) == (4, 8, 37.5, 2, 50.0)
    assert cell["accuracy_ci"][0] < 13 and cell["accuracy_ci"][1] > 70, "questions vary, not samples"
