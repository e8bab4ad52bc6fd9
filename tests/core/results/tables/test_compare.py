"""Two variants on the same questions, worked out by hand."""

from __future__ import annotations

import json

import pytest

from core import cli
from core.errors import UsageError
from core.results.tables.compare import compare, response_diff
from tests.helpers.book import Book, graded


def fill(book: Book) -> None:
    rights = {"none": [1, 1, 1, 0, 0, 1, 1, 1], "q4_0": [1, 0, 0, 1, 0, 1, 1]}
    for compression, right in rights.items():
        run = [graded(r, text=f"Same. {compression} says {r}.\nEnd.")[0] for r in right]
        book.run(book.variant(compression), "aime", run)
    f1 = {"none": [1.0, 0.5, 0.0], "q4_0": [0.5, 0.5, 0.0]}
    for variant, (_, values) in enumerate(f1.items(), 1):
        book.run(variant, "musique", [{"finish_reason": "stop", "em": float(v == 1), "f1": v} for v in values])


def test_flips_difference_and_p(book: Book) -> None:
    fill(book)
    aime, musique = compare(book.reader, "pocket none", "q4")
    assert (aime["benchmark"], aime["n"], aime["unpaired"], aime["a"], aime["b"]) == (
        "aime",
        7,
        1,
        "pocket none",
        "pocket q4_0",
    )
    assert (aime["gained"], aime["lost"], aime["both"], aime["neither"]) == (["3"], ["1", "2"], 3, 1)
    assert aime["difference"] == pytest.approx(-100 / 7) and aime["p"] > 0.3 and aime["same_protocol"]
    assert aime["difference_ci"][0] < -14 < aime["difference_ci"][1]
    assert musique["metric"] == "f1" and musique["difference"] == pytest.approx(-100 / 6)
    assert musique["lost"] == ["0"] and musique["difference_ci"][1] > 0 and musique["p"] > 0.05
    assert json.dumps([aime, musique], allow_nan=False)


def test_runs_can_be_named_by_number(book: Book) -> None:
    fill(book)
    [row] = compare(book.reader, "1", "#2")
    assert row["runs"] == [1, 2]


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [("pocket", "q4_0", "several"), ("nothing", "q4_0", "no variant"), ("99", "q4_0", "no run"), ("1", "4", "share no")],
)
def test_names_that_mean_nothing_are_refused(book: Book, one: str, other: str, said: str) -> None:
    fill(book)
    with pytest.raises(UsageError, match=said):
        compare(book.reader, one, other)


def test_four_gained_and_none_lost_of_thirty_is_no_finding(book: Book) -> None:
    """Interval and p are of one test: either both exclude no difference or none does."""
    for compression, right in (("none", 10), ("q4_0", 14)):
        book.run(book.variant(compression), "aime", graded(1, right) + graded(0, 30 - right))
    [row] = compare(book.reader, "none", "q4_0")
    assert row["difference"] == pytest.approx(100 * 4 / 30)
    assert row["difference_ci"][0] < 0 and 0.05 < row["p"] < 0.15


def test_the_mean_of_several_samples_counts(book: Book) -> None:
    fill(book)
    book.insert("responses", job_id=1, item_id=1, position=0, sample=1, seed=0, state="done", **graded(0)[0])
    aime = compare(book.reader, "none", "q4_0", "aime")[0]
    assert aime["a_score"] == pytest.approx(100 * 4.5 / 7) and aime["n"] == 7


def test_the_difference_of_two_responses(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    fill(book)
    lines = response_diff(book.reader, "none", "q4_0", ["folio", "aime"], "1")
    assert "-none says 1." in lines and "+q4_0 says 0." in lines and " Same." in lines
    with pytest.raises(UsageError, match="no finished response"):
        response_diff(book.reader, "none", "q4_0", ["aime"], "99")
    assert cli.main(["compare", "none", "q4_0", "--db", str(book.path), "--question", "1"]) == 0
    assert "+q4_0 says 0." in capsys.readouterr().out
    for form in ("table", "csv", "latex"):
        assert cli.main(["compare", "none", "q4_0", "--db", str(book.path), "--format", form]) == 0
    assert "-14.3" in capsys.readouterr().out
