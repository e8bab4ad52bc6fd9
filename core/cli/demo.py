"""demo --headless and study: the embedded model's runs, then both tables; no screen, no download, no GPU."""

from __future__ import annotations

import sys
import time
from argparse import Namespace

from core.cli.common import console, follow, print_json, reading, store
from core.jobs.study import queue_demo, queue_study
from core.results.show.render import lengths_table, scores_table
from core.results.tables.lengths import lengths_rows
from core.results.tables.scores import scores_rows
from core.runner.client import ensure_runner, stop_runner


def demo(given: Namespace) -> int:
    """The demo without a screen: progress, then both tables; 0 only if every run finished."""
    path, began = store(given), time.monotonic()
    ids = queue_demo(path, given.limit)
    ensure_runner(path)
    done = follow(path, ids)
    stop_runner(path)
    connection = reading(given)
    scores, lengths = scores_rows(connection), lengths_rows(connection, 30.0)
    if given.json:
        print_json({"done": done, "scores": scores, "lengths": lengths})
    else:
        out = console()
        out.print(scores_table(scores))
        out.print(lengths_table(lengths))
    print(f"{len(ids)} runs in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return 0 if done else 1


def study(given: Namespace) -> int:
    """Queue the study, or what is left of it."""
    path = store(given)
    ids = queue_study(path, given.limit, given.models)
    ensure_runner(path)
    if given.json:
        print_json({"jobs": ids})
    else:
        print(f"{len(ids)} runs, #{ids[0]} to #{ids[-1]}. `lrm-tui` shows them; `lrm-tui scores` prints what they have found.")
    return 0 if not given.wait or follow(path, ids) else 1
