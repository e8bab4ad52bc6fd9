"""The paper's printed numbers: stored as printed, shown apart, compared with noise in mind."""

from __future__ import annotations

import pytest

from benchmarks.registry import names
from core import cli
from core.results.rows import ENDS
from core.results.stats import difference, pass_at_k
from core.results.tables import published
from core.results.tables.lengths import lengths_rows
from core.results.tables.printed import PrintedCell, PrintedEnd, PrintedLengths, PrintedPoint, PrintedScores
from core.results.tables.published import (
    lengths_with_differences,
    published_lengths,
    published_rows,
    reference,
    tables,
    with_differences,
)
from core.results.tables.scores import scores_rows
from tests.helpers.book import Book, graded


def test_every_row_names_its_source_and_lies_between_0_and_100() -> None:
    for row in [*tables()["scores"], *tables()["lengths"], *tables()["collapse"]]:
        assert row["source"] in tables()["sources"] and row["table"] in (2, 3, 4, 5)
    for row in published_rows():
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


def test_averages_agree_with_their_parts_unless_a_note_says_otherwise() -> None:
    for row in published_rows(2):
        parts = [row["benchmarks"][name]["accuracy"] for name in ("aime", "folio", "temporal") if name in row["benchmarks"]]
        if len(parts) == 3:
            assert row["average"] == pytest.approx(sum(parts) / 3, abs=0.07)


def test_every_printed_row_is_in_every_format_as_it_was_printed(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    """F1 has two digits in the paper; of R1 at 1.73 bits an average is known alone."""
    book.run(book.variant(), "aime", graded(1))
    for form in ("table", "csv", "markdown", "latex", "html"):
        assert cli.main(["scores", "--published", "--format", form, "--db", str(book.path)]) == 0
        out = capsys.readouterr().out
        assert all(printed in out for printed in ("81.5", "10.95", "27.51", "13.49")), form


def test_models_are_known_by_several_spellings() -> None:
    for name in ("R1-Distill-Llama-8B", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "deepseek_r1_distill_llama_8b"):
        found = reference(name, "awq-4bit", "folio")
        assert found is not None and found[2]["accuracy"] == 68.0
    assert reference("DeepSeek-R1", "none", "aime") != reference("R1-Distill-Llama-8B", "none", "aime")
    assert reference("R1-Distill-Llama-8B", "q4_0", "aime") is None


def test_differences_know_noise(book: Book) -> None:
    variant = book.variant("awq-4bit", model="R1-Distill-Llama-8B")
    book.run(variant, "folio", graded(1, 140) + graded(0, 63))
    book.run(variant, "temporal", graded(1, 60) + graded(0, 190))
    [row] = with_differences(scores_rows(book.reader))
    near, far = (row["benchmarks"][name]["published"]["accuracy"] for name in ("folio", "temporal"))
    assert near["difference"] == pytest.approx(100 * 140 / 203 - 68.0) and near["within_noise"]
    assert far["difference"] == pytest.approx(-60.0) and not far["within_noise"] and far["difference_ci"][1] < -50
    assert "published" not in scores_rows(book.reader)[0]["benchmarks"]["folio"]


def test_newcombe_on_known_values() -> None:
    # Newcombe 1998, table II, method 10: 56/70 against 48/80, 9/10 against 3/10, 10/10 against 0/10.
    for one, other, ends in [
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((10, 10), (0, 10), (0.6075, 1.0)),
    ]:
        assert difference(one, other) == pytest.approx(ends, abs=5e-5)


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
    assert (cell["n"], cell["accuracy"], cell["samples"], cell["pass_at_k"]) == (8, 37.5, 2, 50.0)
    assert cell["accuracy_ci"][0] < 13 and cell["accuracy_ci"][1] > 70, "questions vary, not samples"


def test_lengths_stand_beside_the_printed_ones_with_their_difference(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    """AIME's 30 questions have 9 at either end; Table 4 prints 100.0 for the shortest of R1 at 2.51 bits."""
    variant = book.variant("dynamic-2.51bit", model="deepseek-ai/DeepSeek-R1")
    responses = [graded(int(at < 7), words=100 + at)[0] for at in range(30)]
    book.run(variant, "aime", responses)
    [row] = lengths_with_differences(lengths_rows(book.reader, 30))
    found = row["published"]["short"]["accuracy"]
    assert (found["printed"], round(found["difference"], 1), found["within_noise"]) == (100.0, -22.2, True)
    assert found["difference_ci"][0] < -22.2 < found["difference_ci"][1]
    assert row["published"]["long"] == {} and row["published"]["table"] == 4
    assert "published" not in lengths_with_differences(lengths_rows(book.reader, 20))[0]
    assert published_lengths(25) == [] and {row["origin"] for row in published_lengths(30)} == {"published", "recorded"}
    for form in ("table", "csv", "markdown", "latex", "json", "html"):
        assert cli.main(["lengths", "--published", "--format", form, "--db", str(book.path)]) == 0
        out = capsys.readouterr().out
        assert "22.2" in out and ("within" in out or form == "csv")


def test_f1_at_the_ends_has_a_difference_but_no_noise(monkeypatch: pytest.MonkeyPatch, book: Book) -> None:
    printed = {"table": 4, "edition": "v1", "source": "notes", "model": "pocket", "compression": "none", "benchmark": "musique"}
    found = tables() | {"lengths": [printed | {"short": {"em": 10.0, "f1": 20.0}, "long": {}}]}
    monkeypatch.setattr(published, "tables", lambda: found)
    book.run(book.variant(), "musique", [{"finish_reason": "stop", "em": 0.0, "f1": 0.5, "answer_words": 3}] * 10)
    [row] = lengths_with_differences(lengths_rows(book.reader, 30))
    assert row["published"]["short"]["f1"] == {
        **{"printed": 20.0, "difference": pytest.approx(30.0), "difference_ci": None, "within_noise": None},
    }
    assert row["published"]["short"]["em"]["within_noise"]
