"""demo: the embedded model's runs, in the workbench or followed to both tables; no download, no GPU."""

from __future__ import annotations

import sys
import time

import click

from core.cli.call import Call
from core.cli.grammar import BEGIN, command, printing, screen_options
from core.jobs.study import DEMO_LIMIT


@command(BEGIN, "lrm-tui demo --headless --limit 10", order=1, options=screen_options())
@printing
@click.option("--headless", is_flag=True, help="print progress and the tables instead of opening the app")
@click.option("--limit", type=int, default=DEMO_LIMIT, metavar="LIMIT", help=f"questions a benchmark (default {DEMO_LIMIT})")
def demo(call: Call, headless: bool, limit: int) -> int:
    """Run the embedded model and what compression makes of it."""
    from core.jobs.study import queue_demo
    from core.runner.client import ensure_runner

    began = time.monotonic()
    jobs = queue_demo(call.store, limit)
    ensure_runner(call.store)
    return _followed(call, jobs, began) if headless else call.workbench(call)


def _followed(call: Call, jobs: list[int], began: float) -> int:
    """The demo without a screen: progress, then both tables; 0 only if every run finished."""
    from core.cli.follow import follow
    from core.cli.output import print_json, print_sheets
    from core.results.show import narrow
    from core.results.tables.lengths import lengths_rows
    from core.results.tables.scores import scores_rows
    from core.runner.client import stop_runner

    done = follow(call.store, jobs)
    stop_runner(call.store)
    with call.reading() as connection:
        scores, lengths = scores_rows(connection), lengths_rows(connection, 30.0)
    if call.json:
        print_json({"done": done, "scores": scores, "lengths": lengths})
    else:
        print_sheets([*narrow.scores_sheets(scores), narrow.lengths_sheet(lengths)])
    print(f"{len(jobs)} runs in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return 0 if done else 1
