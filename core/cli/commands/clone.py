"""clone: runs like earlier ones."""

from __future__ import annotations

from core.cli.call import Call
from core.cli.grammar import QUEUE, command, jobs_argument


@command(QUEUE, "lrm-tui clone 3", order=5)
@jobs_argument
def clone(call: Call, jobs: tuple[int, ...]) -> int:
    """Queue runs like earlier ones."""
    from core.jobs import queue
    from core.runner.client import ensure_runner

    with call.changing() as connection:
        ids = queue.add(connection, [queue.spec_of(connection, job) for job in jobs])
    ensure_runner(call.store)
    print(f"queued: {', '.join(f'#{i}' for i in ids)}")
    return 0
