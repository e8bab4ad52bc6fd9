"""pause: jobs held back."""

from __future__ import annotations

from core.cli.call import Call
from core.cli.grammar import QUEUE, command, jobs_argument


@command(QUEUE, "lrm-tui pause 3", order=8)
@jobs_argument
def pause(call: Call, jobs: tuple[int, ...]) -> int:
    """Hold jobs back."""
    from core.cli.each_job import change_each
    from core.jobs import queue

    return change_each(call, jobs, queue.pause, "paused")
