"""show: a job with its responses, or one whole response."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click

from core.cli.call import Call
from core.cli.grammar import RESULTS, argument, command, job_numbers, printing
from core.errors import UsageError
from core.store.columns import FormerGrade, ResponseRow

if TYPE_CHECKING:
    from core.store.snapshot import JobRow

PAGE = 1000
COLUMNS = ("id", "question", "finish", "words", "answer", "gold", "grade")
HEADS = (
    "id", "model", "compression", "benchmark", "key", "engine_version", "seed", "finish_reason", "rule", "parsed", "gold",
)  # fmt: skip


class RegradedRow(ResponseRow):
    """A response with the grades that it had before, the latest first."""

    former_grades: list[FormerGrade]


@command(RESULTS, "lrm-tui show 1", order=4)
@printing
@argument("job", "[JOB]", "a number as in `lrm-tui ls`", type=click.INT, required=False, values=job_numbers)
@click.option("--response", type=int, metavar="ID", help="one whole response: prompt, thinking, answer, grade")
def show(call: Call, job: int | None, response: int | None) -> int:
    """Show a job and its responses, or one response."""
    from core.cli.output import print_json

    if response is not None:
        with call.reading() as connection:
            row = _response(connection, response)
        print_json(row) if call.json else _print_response(row)
        return 0
    with call.reading() as connection:
        about, rows = _job(connection, job)
    if call.json:
        print_json({"job": asdict(about), "responses": [dict(row) for row in rows]})
    else:
        _print_job(about, rows)
    return 0


def _job(connection: sqlite3.Connection, number: int | None) -> tuple[JobRow, list[sqlite3.Row]]:
    """A job and its responses. Raises UsageError where there is no such job."""
    from core.store.browse import page
    from core.store.filters import ResponseFilter
    from core.store.watch import read

    job = next((job for job in read(connection).jobs if job.id == number), None)
    if job is None:
        raise UsageError(f"There is no job {number}.", "`lrm-tui ls` lists them.")
    return job, list(page(connection, ResponseFilter(job=job.id), PAGE).rows)


def _response(connection: sqlite3.Connection, number: int) -> RegradedRow:
    """A response with the grades that it had before. Raises UsageError where there is none."""
    from core.grading.regrade import former
    from core.store.snapshot import response

    row = response(connection, number)
    if row is None:
        raise UsageError(f"There is no response {number}.", "`lrm-tui show JOB` lists a job's responses.")
    return {**row, "former_grades": former(connection, number)}


def _print_job(job: JobRow, rows: Sequence[sqlite3.Row]) -> None:
    from core.cli.follow import progress_line
    from core.cli.output import console, print_sheets
    from core.results.show.sheets import Cell, Sheet
    from core.text import printable

    out = console()
    out.print(printable(f"{progress_line(job)}  [{job.state}] {job.error or ''} {job.remedy or ''}".rstrip()))
    lines = []
    for row in rows:
        grade = row["correct"] if row["correct"] is not None else row["f1"]
        answer = row["parsed"] or "unparsed"
        cells = (row["id"], row["key"], row["finish_reason"], row["words"], answer, row["gold"], grade)
        lines.append(tuple(Cell(str(cell)) for cell in cells))
    print_sheets([Sheet("responses", "", "", COLUMNS, tuple(lines), texts=len(COLUMNS))])


def _print_response(row: RegradedRow) -> None:
    from core.cli.output import console
    from core.text import printable

    out = console()
    values: Mapping[str, object] = row
    for name in HEADS:
        out.print(printable(f"{name}: {values[name]}"))
    for grade in row["former_grades"]:
        until = datetime.fromtimestamp(grade["until"]).isoformat(" ", "minutes")
        worth = grade["f1"] if grade["correct"] is None else grade["correct"]
        out.print(printable(f"graded until {until}: {grade['parsed']} by rule {grade['rule']}, worth {worth}"))
    start, text = row["answer_start"], row["text"] or ""
    thinking, answer = (text, "") if start is None else (text[:start], text[start:])
    for title, part in (("PROMPT", row["prompt"] or ""), ("THINKING", thinking), ("ANSWER", answer)):
        out.print(f"--- {title}")
        out.print(printable(part, keep_newlines=True))
