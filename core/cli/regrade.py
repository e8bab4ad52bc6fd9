"""regrade: finished responses graded again after a grader's rules changed; the old grades stay beside the new ones."""

from __future__ import annotations

from argparse import Namespace
from contextlib import closing
from dataclasses import asdict

from rich.console import Console

from core.cli.common import print_json, reading, store
from core.grading.regrade import Regraded
from core.grading.regrade import regrade as regraded
from core.store.connection import connect, translated
from core.text import printable


def regrade(given: Namespace) -> int:
    """Grade again, and print what changed, a line a run; with --dry-run nothing is written."""
    reading(given).close()  # a writer would make the store that is missing
    path = store(given)
    status = Console(stderr=True, markup=False, highlight=False, emoji=False).status("")

    def progress(run: Regraded) -> None:
        status.update(
            printable(f"#{run.run} {run.variant} {run.benchmark}: {run.responses:,} responses, {run.changed:,} changed")
        )

    with closing(connect(path, "user")) as connection, translated(path), status:
        found = regraded(connection, given.jobs or None, given.dry_run, progress)
    if given.json:
        print_json([asdict(run) for run in found])
        return 0
    for run in found:
        if run.changed or given.jobs:
            ends = f"{run.changed} of {run.responses} grades changed: {run.better} better, {run.worse} worse"
            print(printable(f"#{run.run} {run.variant} {run.benchmark}: {ends}"))
    total, changed = sum(run.responses for run in found), sum(run.changed for run in found)
    print(f"{total:,} responses graded again, {changed:,} grades {'would change' if given.dry_run else 'changed'}.")
    return 0
