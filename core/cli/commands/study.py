"""study: the demo in full, queued or gone on with."""

from __future__ import annotations

import click

from core.cli.call import Call
from core.cli.grammar import QUEUE, command, printing
from core.jobs.study import FAMILY, SEEDS, STUDY_LIMIT

DETAILS = (
    "Queue what of the study this store does not have yet: the embedded model, its quantizations and prunings over the "
    f"mini-suite, with the seeds {', '.join(map(str, SEEDS))}. Asked again, it goes on where it stood."
)
MEMBER = click.Choice(tuple(FAMILY))


@command(QUEUE, "lrm-tui study --wait", order=3, details=DETAILS)
@printing
@click.option("--limit", type=int, default=STUDY_LIMIT, metavar="LIMIT", help=f"questions a benchmark (default {STUDY_LIMIT})")
@click.option("--samples", type=int, default=1, metavar="K", help="responses to each question (1)")
@click.option("--models", type=MEMBER, multiple=True, metavar="MODELS", help="of the family, one or several (default all)")
@click.argument("more", type=MEMBER, nargs=-1, metavar="", help="")
@click.option("--wait", is_flag=True, help="follow until the runs have ended; exit 0 only if all finished")
def study(call: Call, limit: int, samples: int, models: tuple[str, ...], more: tuple[str, ...], wait: bool) -> int:
    """Queue the demo in full: more questions and three seeds."""
    from core.cli.follow import follow
    from core.cli.output import print_json
    from core.jobs.study import queue_study
    from core.runner.client import ensure_runner

    if more and not models:
        raise click.UsageError(f"unrecognized arguments: {' '.join(more)}")
    ids = queue_study(call.store, limit, (*models, *more) or tuple(FAMILY), samples)
    ensure_runner(call.store)
    if call.json:
        print_json({"jobs": ids})
    else:
        print(f"{len(ids)} runs, #{ids[0]} to #{ids[-1]}. `lrm-tui` shows them; `lrm-tui scores` prints what they have found.")
    return 0 if not wait or follow(call.store, ids) else 1
