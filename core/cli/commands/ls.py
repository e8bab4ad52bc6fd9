"""ls: the queue."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from core.cli.call import Call
from core.cli.grammar import QUEUE, command, printing

if TYPE_CHECKING:
    from rich.table import Table

    from core.store.snapshot import JobRow

NUMBERS = ("job", "done", "tok/s", "loops")


@command(QUEUE, "lrm-tui ls", order=4)
@printing
def ls(call: Call) -> int:
    """List the queue."""
    from core.cli.output import console, print_json
    from core.store.watch import read

    with call.reading() as connection:
        jobs = read(connection).jobs
    if call.json:
        print_json([asdict(job) for job in jobs])
    else:
        console().print(_table(jobs) if jobs else "The queue is empty. `lrm-tui add --help` says how to fill it.")
    return 0


def _table(jobs: tuple[JobRow, ...]) -> Table:
    """The queue as a table that fits 80 columns."""
    from rich.table import Table
    from rich.text import Text

    from core.text import printable

    table = Table(box=None, pad_edge=False)
    for heading in ("job", "state", "variant", "benchmark", "done", "tok/s", "loops", "note"):
        table.add_column(heading, justify="right" if heading in NUMBERS else "left", overflow="fold")
    for job in jobs:
        cells = (
            str(job.id),
            job.state if job.wanted is None else f"{job.state}, {job.wanted} asked",
            f"{job.model} {job.compression}",
            job.benchmark or "prepare",
            f"{job.done}/{'?' if job.total is None else job.total}",
            "" if job.tokens_per_second is None else f"{job.tokens_per_second:,.0f}",
            str(job.loops) if job.loops else "",
            job.error or "",
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table
