"""responses: filtered and searched, a line each."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NotRequired, TypedDict, Unpack

import click

from core.cli.call import Call
from core.cli.grammar import RESULTS, argument, benchmarks, command, filter_words, job_numbers, tabular, variant_names
from core.errors import StoreError, UsageError
from core.grading.endings import ENDINGS
from core.store.filters import ORDERS, VERDICTS, ResponseFilter, doubt, parse

if TYPE_CHECKING:
    from rich.text import Text

    from core.results.show.sheets import Cell, Sheet

COLUMNS = ("Id", "Variant", "Benchmark", "Item", "Parsed", "Gold", "Verdict", "Finish", "Words")
FILTER = "as in the screen: wrong benchmark:aime variant:q4 words:>2000 WORDS ..."
SEARCH = 'words in the text; "several in quotes", begin*'


class ResponseLine(TypedDict):
    """One response of the list; `excerpt` is there where texts are searched."""

    id: int
    job_id: int
    model: str
    compression: str
    benchmark: str
    key: str
    parsed: str | None
    gold: str
    verdict: str
    correct: int | None
    em: float | None
    f1: float | None
    hand: int | None
    flagged: int
    finish_reason: str
    ending: str | None
    collapsed: int | None
    words: int
    excerpt: NotRequired[str]


class Filters(TypedDict):
    """The options that choose responses."""

    search: str
    verdict: str
    job: int | None
    variant: str
    benchmark: str
    item: str
    ending: str | None
    min_words: int | None
    max_words: int | None
    order: str


@command(RESULTS, "lrm-tui responses wrong benchmark:aime", order=5)
@tabular
@argument("words", "[FILTER...]", FILTER, nargs=-1, values=filter_words)
@click.option("--search", default="", metavar="TEXT", help=SEARCH)
@click.option("--verdict", type=click.Choice(VERDICTS), default="all", help="reviewed: judged or flagged by hand")
@click.option("--job", type=int, metavar="JOB", shell_complete=job_numbers, help="responses of this run")
@click.option(
    "--variant", default="", metavar="VARIANT", shell_complete=variant_names, help="a part of the name of model and compression"
)
@click.option("--benchmark", default="", metavar="BENCHMARK", shell_complete=benchmarks, help="responses to this benchmark")
@click.option("--item", default="", metavar="KEY", help="responses to this question")
@click.option("--ending", type=click.Choice(ENDINGS), help="responses that ended so")
@click.option("--min-words", type=int, metavar="N", help="of thinking and answer")
@click.option("--max-words", type=int, metavar="N", help="of thinking and answer")
@click.option("--order", type=click.Choice(ORDERS), default="newest", help="which come first (default newest)")
@click.option("--limit", type=int, default=50, metavar="N", help="print at most N (default 50)")
def responses(call: Call, words: tuple[str, ...], limit: int, **filters: Unpack[Filters]) -> int:
    """Finished responses, filtered and searched."""
    from core.cli.output import show
    from core.store.browse import count, page

    if limit < 1:
        raise UsageError(f"--limit {limit} shows nothing.", "Give 1 or more.")
    selection = _filter(words, filters)
    with call.reading() as connection:
        if selection.search:
            _index(call, connection)
        rows = [_data(connection, selection, row) for row in page(connection, selection, limit).rows]
        every = count(connection, selection)
    drawn = (lambda: [_hit(row) for row in rows]) if selection.search and sys.stdout.isatty() else None
    show(call, rows, rows, lambda: [_sheet(rows)], drawn=drawn, empty="No such responses.")
    if sentence := doubt(selection):
        print(sentence, file=sys.stderr)
    if len(rows) < every:
        print(f"{len(rows):,} of {every:,} responses; --limit shows more, --order others first.", file=sys.stderr)
    return 0


def _filter(words: Sequence[str], filters: Filters) -> ResponseFilter:
    """The options, then the words as in the screen's own filter. Raises UsageError where both search."""
    from dataclasses import replace

    names = ("verdict", "job", "variant", "benchmark", "item", "ending", "min_words", "max_words", "order")
    selection = parse(" ".join(words), ResponseFilter(**{name: filters[name] for name in names}))  # type: ignore[literal-required]
    if filters["search"] and selection.search:
        raise UsageError("There are two searches.", "Give --search, or the words themselves.")
    return replace(selection, search=filters["search"]) if filters["search"] else selection


def _index(call: Call, connection: sqlite3.Connection) -> None:
    """Texts from before the index are indexed now, where the store may be written; else it is said that they are not."""
    from core.cli.progress import Ticker
    from core.store import search

    left = every = search.left(connection)
    if not left:
        return
    try:
        with Ticker() as ticker, call.writing() as writer:
            while left:
                line = f"indexing older responses for search: {left:,} of {every:,} left"
                ticker.show(0, line, "indexing older responses for search", every - left, every)
                left = search.step(writer)
    except StoreError as error:
        print(f"{left:,} older responses are not searched: {error.message}", file=sys.stderr)


def _data(connection: sqlite3.Connection, selection: ResponseFilter, row: sqlite3.Row) -> ResponseLine:
    from core.store.browse import excerpt
    from core.store.shown import gold, verdict

    line = ResponseLine(
        id=row["id"],
        job_id=row["job_id"],
        model=row["model"],
        compression=row["compression"],
        benchmark=row["benchmark"],
        key=row["key"],
        parsed=row["parsed"],
        gold=gold(row["gold"]),
        verdict=verdict(row),
        correct=row["correct"],
        em=row["em"],
        f1=row["f1"],
        hand=row["hand"],
        flagged=row["flagged"],
        finish_reason=row["finish_reason"],
        ending=row["ending"],
        collapsed=row["collapsed"],
        words=row["words"],
    )
    if selection.search:
        line["excerpt"] = excerpt(connection, selection, row["id"])
    return line


def _hit(row: ResponseLine) -> Text:
    """A hit as a line about the response and a piece of its text below."""
    from rich.text import Text

    from core.text import printable

    about = f"{row['model']} {row['compression']} · {row['benchmark']} {row['key']} · {_parsed(row)}, gold {row['gold']}"
    shown = Text(f"{row['id']} ", style="bold").append(printable(about), "not bold")
    shown.append(printable(f" · {row['verdict']} · {_finish(row)} · {row['words']:,} words"), "not bold")
    excerpt = Text(printable(f"\n    {' '.join(row['excerpt'].split())}", keep_newlines=True), "dim not bold")
    excerpt.highlight_regex("«[^»]*»", "bold not dim")
    return shown.append_text(excerpt)


def _parsed(row: ResponseLine) -> str:
    from core.results.show.sheets import UNKNOWN

    return UNKNOWN if row["parsed"] is None else str(row["parsed"])


def _finish(row: ResponseLine) -> str:
    return "LOOP" if row["collapsed"] else str(row["finish_reason"])


def _sheet(rows: Sequence[ResponseLine]) -> Sheet:
    from core.results.show.sheets import Sheet

    searched = bool(rows) and "excerpt" in rows[0]
    heads = (*COLUMNS, *(("Where",) * searched))
    return Sheet("responses", "Responses", "", heads, tuple(_line(row) for row in rows), texts=len(heads))


def _line(row: ResponseLine) -> tuple[Cell, ...]:
    from core.results.show.sheets import Cell

    cells = [str(row["id"]), f"{row['model']} {row['compression']}", row["benchmark"], row["key"], _parsed(row), row["gold"]]
    cells += [row["verdict"], _finish(row), str(row["words"]), *([row["excerpt"]] if "excerpt" in row else [])]
    return tuple(Cell(cell) for cell in cells)
