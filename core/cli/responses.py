"""responses: filtered and searched, a line each. flag: a verdict or a mark by hand, with a note."""

from __future__ import annotations

import sqlite3
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rich.text import Text

from core.cli.common import Ticker, reading, store
from core.cli.output import show
from core.errors import StoreError, UsageError
from core.results.show.sheets import UNKNOWN, Cell, Sheet
from core.store import search
from core.store.browse import count, excerpt, page
from core.store.connection import connect, translated
from core.store.filters import Wanted, parse
from core.store.reviews import review
from core.store.shown import gold, verdict
from core.text import printable


def responses(given: Namespace) -> int:
    """Print the responses that are wanted, at most `--limit` of them, and on stderr how many there are."""
    wanted = _wanted(given)
    connection = reading(given)
    if wanted.search:
        _index(given, connection)
    with translated(store(given)):
        found = page(connection, wanted, given.limit).rows
        rows = [_data(connection, wanted, row) for row in found]
        every = count(connection, wanted)
    show(given, rows, rows, lambda: [_sheet(rows)], _found(rows) if wanted.search else None, "No such responses.")
    if len(rows) < every:
        print(f"{len(rows):,} of {every:,} responses; --limit shows more, --order others first.", file=sys.stderr)
    return 0


def _wanted(given: Namespace) -> Wanted:
    if given.limit < 1:
        raise UsageError(f"--limit {given.limit} shows nothing.", "Give 1 or more.")
    base = Wanted(
        given.verdict, given.job, given.variant, given.benchmark, given.item, given.min_words, given.max_words, "", given.order
    )
    wanted = parse(" ".join(given.filter), base)
    if given.search and wanted.search:
        raise UsageError("There are two searches.", "Give --search, or the words themselves.")
    return replace(wanted, search=given.search) if given.search else wanted


def _index(given: Namespace, connection: sqlite3.Connection) -> None:
    """Texts from before the index are indexed now, where the store may be written; else it is said that they are not."""
    left = every = search.left(connection)
    if not left:
        return
    ticker = Ticker()
    try:
        writer = connect(store(given), "user")
        while left:
            ticker.show(0, f"indexing older responses for search: {left:,} of {every:,} left")
            with translated(store(given)):
                left = search.step(writer)
        writer.close()
    except StoreError as error:
        print(f"{left:,} older responses are not searched: {error.message}", file=sys.stderr)
    finally:
        ticker.stop()


def _data(connection: sqlite3.Connection, wanted: Wanted, row: sqlite3.Row) -> dict[str, Any]:
    names = ("id", "job_id", "model", "compression", "benchmark", "key", "parsed")
    return {
        **{name: row[name] for name in names},
        "gold": gold(row["gold"]),
        "verdict": verdict(row),
        **{name: row[name] for name in ("correct", "em", "f1", "hand", "flagged", "finish_reason", "collapsed", "words")},
        **({"excerpt": excerpt(connection, wanted, row["id"])} if wanted.search else {}),
    }


def _found(rows: Sequence[dict[str, Any]]) -> Callable[[], Sequence[Text]]:
    """Hits as a line about each response and a piece of its text below."""
    return lambda: [_hit(row) for row in rows]


def _hit(row: dict[str, Any]) -> Text:
    parsed = UNKNOWN if row["parsed"] is None else row["parsed"]
    about = f"{row['model']} {row['compression']} · {row['benchmark']} {row['key']} · {parsed}, gold {row['gold']}"
    shown = Text(f"{row['id']} ", style="bold").append(printable(about), "not bold")
    shown.append(printable(f" · {row['verdict']} · {_finish(row)} · {row['words']:,} words"), "not bold")
    excerpt = Text(printable(f"\n    {' '.join(row['excerpt'].split())}", keep_newlines=True), "dim not bold")
    excerpt.highlight_regex("«[^»]*»", "bold not dim")
    return shown.append_text(excerpt)


def _finish(row: dict[str, Any]) -> str:
    return "LOOP" if row["collapsed"] else str(row["finish_reason"])


def _sheet(rows: Sequence[dict[str, Any]]) -> Sheet:
    searched = bool(rows) and "excerpt" in rows[0]
    heads = ("Id", "Variant", "Benchmark", "Item", "Parsed", "Gold", "Verdict", "Finish", "Words", *(("Where",) * searched))
    return Sheet("responses", "Responses", "", heads, tuple(_line(row) for row in rows), texts=len(heads))


def _line(row: dict[str, Any]) -> tuple[Cell, ...]:
    parsed = UNKNOWN if row["parsed"] is None else row["parsed"]
    cells = [str(row["id"]), f"{row['model']} {row['compression']}", row["benchmark"], row["key"], parsed, row["gold"]]
    cells += [row["verdict"], _finish(row), str(row["words"]), *([row["excerpt"]] if "excerpt" in row else [])]
    return tuple(Cell(cell) for cell in cells)


def flag(given: Namespace) -> int:
    """Judge responses by hand, or mark them; what is not said stays as it is."""
    if given.verdict is None and given.unflag and given.note:
        raise UsageError("A note on nothing.", "Leave --unflag, or give a --verdict.")
    path = store(given)
    reading(given).close()
    connection = connect(path, "user")
    with translated(path):
        for number in given.responses:
            row = connection.execute("SELECT hand, flagged FROM responses WHERE id = ?", (number,)).fetchone()
            hand, was = (None, False) if row is None else row  # `review` says that there is none
            judged = {"correct": True, "wrong": False, "graded": None, None: hand}[given.verdict]
            flagged = not given.unflag and (given.verdict is None or bool(was))
            review(connection, number, judged, flagged, given.note)
            print(f"response {number}: {given.verdict or ('flagged' if flagged else 'no flag')}")
    connection.close()
    return 0
