"""ls: the queue."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from core.cli.call import Call
from core.cli.grammar import QUEUE, command, printing

if TYPE_CHECKING:
    from core.results.show.sheets import Sheet
    from core.store.snapshot import JobRow

HEADS = ("job", "state", "variant", "benchmark", "done", "tok/s", "loops", "note")


@command(QUEUE, "lrm-tui ls", order=4)
@printing
def ls(call: Call) -> int:
    """List the queue."""
    from core.cli.output import print_json, print_sheets
    from core.store.watch import read

    with call.reading() as connection:
        jobs = read(connection).jobs
    if call.json:
        print_json([asdict(job) for job in jobs])
    else:
        if jobs:
            print_sheets([_sheet(jobs)])
        else:
            print("The queue is empty. `lrm-tui add --help` says how to fill it.")
    return 0


def _sheet(jobs: tuple[JobRow, ...]) -> Sheet:
    """The queue, a row a job."""
    from core.results.show.sheets import Cell, Sheet

    rows = []
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
        rows.append(tuple(map(Cell, cells)))
    note = len(HEADS) - 1
    return Sheet("queue", "", "", HEADS, tuple(rows), texts=0, more_texts=(1, 2, 3, note))
