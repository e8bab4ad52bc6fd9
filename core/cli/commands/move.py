"""move: a waiting job up or down the queue."""

from __future__ import annotations

import click

from core.cli.call import Call
from core.cli.grammar import QUEUE, argument, command, job_numbers


@command(QUEUE, "lrm-tui move 3 -1", order=6, negative_numbers=True)
@argument("job", "JOB", "a number as in `lrm-tui ls`", type=click.INT, values=job_numbers)
@argument("steps", "STEPS", "places: -1 is up by one, 2 is down by two", type=click.INT)
def move(call: Call, job: int, steps: int) -> int:
    """Move a waiting job up or down the queue."""
    from core.jobs import queue

    with call.changing() as connection:
        for _ in range(abs(steps)):
            queue.move(connection, job, 1 if steps > 0 else -1)
    return 0
