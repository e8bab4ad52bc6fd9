"""Browsing, filtering and searching responses: every page meets its neighbours, whatever the filter and the order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UsageError
from core.store import snapshot
from core.store.browse import Page, count, cursor, excerpt, page, siblings
from core.store.columns import ResponseRow
from core.store.filters import ORDERS, VERDICTS, ResponseFilter, parse, written
from core.store.reviews import review
from tests.helpers.book import Book

LINES = {
    "all": ResponseFilter(),
    "wrong ending:loop": ResponseFilter("wrong", ending="loop"),
    "wrong job:3 words:>20 longest": ResponseFilter("wrong", job=3, min_words=20, order="longest"),
    'variant:"pocket q8_0" "two words" one': ResponseFilter(variant="pocket q8_0", search='"two words" one'),
    "benchmark:aime item:12 words:<50 \\boxed{105}": ResponseFilter(
        benchmark="aime", item="12", max_words=50, search="\\boxed{105}"
    ),
}


@pytest.fixture
def book(filled: Path, tmp_path: Path) -> Book:
    """A copy of its own for each test."""
    return Book(Path(copyfile(filled, tmp_path / "runs.db")))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 responses of three runs over two variants; lengths tie, some loop, some have no answer, two have not finished."""
    book = Book(tmp_path_factory.mktemp("filled") / "runs.db")
    first, second = book.variant("none"), book.variant("q8_0")
    for run, (variant, benchmark) in enumerate(((first, "aime"), (second, "aime"), (second, "musique"))):
        responses: list[dict[str, Any]] = []
        for number in range(20):
            score = {"correct": number % 2} if benchmark == "aime" else {"em": float(number % 3 == 0), "f1": 0.5}
            responses.append(
                {
                    **score,
                    "finish_reason": "stop",
                    "parsed": None if number == 7 else "x",
                    "collapsed": int(number in (4, 5)),
                    "thinking_words": number // 4,
                    "answer_words": run,
                    "text": f"Réponse number{number} of run{run}: the [answer] is {number}",
                }
            )
        book.run(variant, benchmark, [*responses, {}])
    book.reader.close()
    book.writer.close()
    return book.path


def walk(book: Book, selection: ResponseFilter, size: int, backwards: bool = False) -> list[int]:
    """Every page until the end, put together in reading order."""
    found: list[int] = []
    beyond = None
    while True:
        one = page(book.reader, selection, size, beyond, backwards)
        ids = [row["id"] for row in one.rows]
        found = ids + found if backwards else found + ids
        if not (one.more_before if backwards else one.more_after):
            return found
        beyond = cursor(one.rows[0 if backwards else -1])


@pytest.mark.parametrize(
    "selection",
    [
        ResponseFilter(),
        ResponseFilter("wrong"),
        ResponseFilter("unparsed"),
        ResponseFilter(variant="Q8"),
        ResponseFilter(job=2),
    ],
)
def test_pages_meet_in_both_directions(book: Book, selection: ResponseFilter) -> None:
    for order in ORDERS:
        ordered = replace(selection, order=order)
        whole = walk(book, ordered, 1000)
        assert len(whole) == len(set(whole)) == count(book.reader, ordered) > 0
        assert walk(book, ordered, 3) == walk(book, ordered, 7) == whole
        assert walk(book, ordered, 3, backwards=True) == whole


def test_orders(book: Book) -> None:
    newest, longest = walk(book, ResponseFilter(), 9), walk(book, ResponseFilter(order="longest"), 9)
    assert newest == sorted(newest, reverse=True) and walk(book, ResponseFilter(order="oldest"), 9) == newest[::-1]
    lengths = [row["words"] for row in page(book.reader, ResponseFilter(order="longest"), 100).rows]
    assert lengths == sorted(lengths, reverse=True) and walk(book, ResponseFilter(order="shortest"), 9) == longest[::-1]


def counts(book: Book, **selection: Any) -> int:
    return count(book.reader, ResponseFilter(**selection))


def test_filters(book: Book) -> None:
    assert [counts(book, verdict=v) for v in VERDICTS] == [60, 20 + 7, 20 + 13, 3, 6, 0]
    assert counts(book, benchmark="aime") == 40 and counts(book, benchmark="aime", variant="none") == 20
    assert counts(book, item="3") == 3 and counts(book, item="3", benchmark="musique") == 1
    assert counts(book, min_words=5) == 12 and counts(book, max_words=0) == 4
    assert counts(book, job=99) == 0 and page(book.reader, ResponseFilter(job=99), 10) == Page((), False, False)


def test_search_knows_words_phrases_and_beginnings(book: Book) -> None:
    assert counts(book, search="«number7»") == 3 and counts(book, search="number7 run1") == 1
    assert counts(book, search="reponse") == 60, "accents do not matter"
    assert counts(book, search='"answer is"') == 60 and counts(book, search='"is answer"') == 0
    assert counts(book, search="number1*") == 33
    assert counts(book, search="[answer] OR NEAR(", verdict="wrong") == 0
    assert counts(book, search="the", benchmark="musique") == 20
    assert walk(book, ResponseFilter(search="answer", variant="q8"), 7) == walk(book, ResponseFilter(variant="q8"), 7)
    assert "«number7»" in excerpt(book.reader, ResponseFilter(search="«number7»"), 8)
    with pytest.raises(UsageError, match="no word"):
        counts(book, search="( *")


def test_the_index_follows_every_change_of_a_text(book: Book) -> None:
    book.writer.execute("UPDATE response_texts SET text = 'zebra' WHERE response_id = 1")
    assert counts(book, search="zebra") == 1 and counts(book, search="number0 run0") == 0
    upsert = "INSERT INTO response_texts (response_id, prompt, text) VALUES (1, '', 'gnu') ON CONFLICT (response_id) DO UPDATE SET text = excluded.text"
    book.writer.execute(upsert)
    assert counts(book, search="gnu") == 1 and counts(book, search="zebra") == 0
    book.writer.execute("DELETE FROM response_texts WHERE response_id = 1")
    assert counts(book, search="gnu") == 0
    book.writer.execute("INSERT INTO search (search) VALUES ('integrity-check')")


def test_verdicts_by_hand_stand_beside_the_graders(book: Book) -> None:
    assert counts(book, verdict="correct", job=1) == 10
    review(book.writer, 1, True, False, " it is right ")
    review(book.writer, 2, None, True, "look again")
    assert counts(book, verdict="correct", job=1) == 11 and counts(book, verdict="reviewed") == 2
    row = page(book.reader, ResponseFilter("reviewed", order="oldest"), 1).rows[0]
    assert (row["correct"], row["hand"], row["flagged"]) == (0, 1, 0)
    review(book.writer, 1, None, False, "")
    assert counts(book, verdict="correct", job=1) == 10 and counts(book, verdict="reviewed") == 1
    for response in (21, 9999):
        with pytest.raises(UsageError):
            review(book.writer, response, True, False, "")


def test_siblings_are_the_responses_to_one_question(book: Book) -> None:
    assert [row["id"] for row in siblings(book.reader, 3)] == [3, 24]


@pytest.mark.parametrize("line", LINES)
def test_lines_are_read(line: str) -> None:
    assert parse(line) == LINES[line]
    assert parse(written(LINES[line])) == LINES[line]


@pytest.mark.parametrize("line", ["job:x", "words:>many", "words:"])
def test_nonsense_is_told(line: str) -> None:
    with pytest.raises(UsageError, match="no whole number"):
        parse(line)


@given(
    st.builds(
        ResponseFilter,
        verdict=st.sampled_from(VERDICTS),
        job=st.none() | st.integers(1, 10**9),
        variant=st.text("ab c", max_size=5).map(lambda text: " ".join(text.split())),
        min_words=st.none() | st.integers(0, 10**6),
        max_words=st.none() | st.integers(0, 10**6),
        search=st.lists(st.sampled_from(["a", "job:", "b*", '"c d"', "words:9x", "é"]), max_size=3).map(" ".join),
        order=st.sampled_from(ORDERS),
    )
)
def test_what_is_written_is_read_again(selection: ResponseFilter) -> None:
    again = parse(written(selection))
    assert replace(again, search="") == replace(selection, search="")
    assert again.search.replace('"', "") == selection.search.replace('"', "")


def test_every_query_of_a_page_uses_an_index(book: Book) -> None:
    """A filter that few responses pass must not read them all."""
    for verdict in VERDICTS:
        for order in ORDERS:
            plans: list[str] = []
            book.reader.set_trace_callback(plans.append)
            page(book.reader, ResponseFilter(verdict, order=order), 10)
            book.reader.set_trace_callback(None)
            plan = " ".join(row["detail"] for row in book.reader.execute(f"EXPLAIN QUERY PLAN {plans[0]}"))
            assert "INDEX responses_" in plan and "TEMP B-TREE" not in plan.replace("LAST TERM OF ORDER BY", ""), plan


def test_a_whole_response_has_the_columns_that_its_type_names(book: Book) -> None:
    row = snapshot.response(book.reader, 1)
    assert row is not None and row.keys() == ResponseRow.__annotations__.keys()
    assert snapshot.response(book.reader, 1_000) is None
