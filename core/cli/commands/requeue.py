"""requeue: paused, failed or cancelled jobs go on."""

from __future__ import annotations

from core.cli.call import Call
from core.cli.grammar import QUEUE, command, jobs_argument


@command(QUEUE, "lrm-tui requeue 3", order=9)
@jobs_argument
def requeue(call: Call, jobs: tuple[int, ...]) -> int:
    """Let paused, failed or cancelled jobs go on."""
    from core.cli.each_job import change_each
    from core.jobs import queue
    from core.runner.client import ensure_runner

    code = change_each(call, jobs, queue.requeue, "queued")
    ensure_runner(call.store)
    return code
