"""show: a job with its responses, or one whole response."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from core.cli.common import console, print_json, progress_line, reading
from core.errors import UsageError
from core.grading.regrade import former
from core.store.browse import page
from core.store.filters import Wanted
from core.store.snapshot import response
from core.store.watch import read
from core.text import printable

PAGE = 1000


def show(given: Namespace) -> int:
    """Print a job and the responses it has, or with --response one response."""
    connection = reading(given)
    if given.response is not None:
        found = response(connection, given.response)
        if found is None:
            raise UsageError(f"There is no response {given.response}.", "`lrm-tui show JOB` lists a job's responses.")
        found.pop("answer_ids", None)
        found["former_grades"] = former(connection, given.response)
        _print_response(found, given.json)
        return 0
    job = next((job for job in read(connection).jobs if job.id == given.job), None)
    if job is None:
        raise UsageError(f"There is no job {given.job}.", "`lrm-tui ls` lists them.")
    rows = [dict(row) for row in page(connection, Wanted(job=job.id), PAGE).rows]
    if given.json:
        print_json({"job": asdict(job), "responses": rows})
        return 0
    out = console()
    out.print(printable(f"{progress_line(job)}  [{job.state}] {job.error or ''} {job.remedy or ''}".rstrip()))
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "question", "finish", "words", "answer", "gold", "grade"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        grade = row["correct"] if row["correct"] is not None else row["f1"]
        cells = (
            row["id"],
            row["key"],
            row["finish_reason"],
            row["words"],
            row["parsed"] or "unparsed",
            row["gold"],
            grade,
        )
        table.add_row(*(Text(printable(str(cell))) for cell in cells))
    out.print(table)
    return 0


def _print_response(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    out = console()
    start = found["answer_start"]
    text = found["text"] or ""
    heads = (
        "id",
        "model",
        "compression",
        "benchmark",
        "key",
        "engine_version",
        "seed",
        "finish_reason",
        "rule",
        "parsed",
        "gold",
    )
    for name in heads:
        out.print(printable(f"{name}: {found[name]}"))
    for grade in found["former_grades"]:
        until = datetime.fromtimestamp(grade["until"]).isoformat(" ", "minutes")
        worth = grade["f1"] if grade["correct"] is None else grade["correct"]
        out.print(printable(f"graded until {until}: {grade['parsed']} by rule {grade['rule']}, worth {worth}"))
    thinking, answer = (text, "") if start is None else (text[:start], text[start:])
    for title, part in (("PROMPT", found["prompt"] or ""), ("THINKING", thinking), ("ANSWER", answer)):
        out.print(f"--- {title}")
        out.print(printable(part, keep_newlines=True))
