"""cancel: jobs that shall not run."""

from __future__ import annotations

from core.cli.call import Call
from core.cli.grammar import QUEUE, command, jobs_argument


@command(QUEUE, "lrm-tui cancel 3 4", order=7)
@jobs_argument
def cancel(call: Call, jobs: tuple[int, ...]) -> int:
    """Cancel jobs; finished responses stay."""
    from core.cli.each_job import change_each
    from core.jobs import queue

    return change_each(call, jobs, queue.cancel, "cancelled")
