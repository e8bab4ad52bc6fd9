"""regrade: finished responses graded again after a grader's rules changed; the old grades stay beside the new ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from core.cli.call import Call
from core.cli.grammar import RESULTS, argument, command, job_numbers, printing

if TYPE_CHECKING:
    from core.grading.regrade import Changed, Regraded


@command(RESULTS, "lrm-tui regrade --dry-run", order=7)
@printing
@argument("jobs", "[RUN...]", "these runs only", type=click.INT, nargs=-1, values=job_numbers)
@click.option("--dry-run", is_flag=True, help="say what would change, and write nothing")
@click.option(
    "--tables", is_flag=True, help="the cells of scores and lengths that would change, before and after; writes nothing"
)
def regrade(call: Call, jobs: tuple[int, ...], dry_run: bool, tables: bool) -> int:
    """Grade finished responses again after a grader's rules changed."""
    from core.cli.output import print_json
    from core.cli.progress import Bar
    from core.grading.regrade import regrade as regraded

    with Bar() as bar:

        def progress(run: Regraded) -> None:
            bar.update(f"{_name(run)}: {run.responses:,} responses, {run.changed:,} changed")

        if tables:
            return _preview(call, list(jobs) or None, progress)
        with call.changing() as connection:
            runs = regraded(connection, list(jobs) or None, dry_run, progress)
    if call.json:
        print_json([asdict(run) for run in runs])
    else:
        _print_changes(runs, every=bool(jobs), verb="would change" if dry_run else "changed")
    return 0


def _preview(call: Call, jobs: list[int] | None, progress: Callable[[Regraded], None]) -> int:
    """Print the cells of the tables that a regrade would change."""
    from core.cli.output import show
    from core.results.show.sheets_changes import changes_sheet
    from core.results.tables.changes import preview

    _, cells = preview(call.store, jobs, progress)
    show(call, cells, cells, lambda: [changes_sheet(cells)], empty="No cell of scores or lengths would change.")
    return 0


def _name(run: Regraded) -> str:
    return f"#{run.run} {run.variant} {run.benchmark}"


def _mean(total: float, run: Regraded) -> str:
    """The mean worth of a run's responses in percent."""
    return f"{100 * total / run.responses:.1f}"


def _shown(change: Changed) -> str:
    """One response: what was extracted and would be, and what that is worth."""
    was, new = (("nothing" if answer is None else repr(answer[:60])) for answer in change.parsed)
    extracted = f"{was} ({change.rule[0] or 'no rule'}) → {new} ({change.rule[1] or 'no rule'})"
    was_ending, ending = change.ending
    extracted += "" if was_ending in (None, ending) else f", {was_ending} → {ending}"
    return (
        f"response {change.response}, question {change.key}: {extracted}, worth {change.worth[0]:.2g} → {change.worth[1]:.2g}"
    )


def _endings(run: Regraded, verb: str) -> str:
    """How many endings changed, and how many of them nobody knew before."""
    if not run.endings:
        return ""
    unknown = f" ({run.unknown} unknown before)" if run.unknown else ""
    return f"; {run.endings} endings {verb}{unknown}"


def _print_changes(runs: list[Regraded], every: bool, verb: str) -> None:
    """A line a run that changed (every run where asked), of a dry run also one a response, then the sum."""
    from core.text import printable

    for run in runs:
        if run.changed or run.endings or every:
            ends = f"{run.changed} of {run.responses} grades changed: {run.better} better, {run.worse} worse"
            scores = "" if not run.responses else f"; mean {_mean(run.before, run)} → {_mean(run.after, run)}"
            print(printable(f"{_name(run)}: {ends}{scores}{_endings(run, verb)}"))
            for change in run.changes:
                print(printable(f"  {_shown(change)}"))
    total, changed = sum(run.responses for run in runs), sum(run.changed for run in runs)
    endings = sum(run.endings for run in runs)
    print(f"{total:,} responses graded again, {changed:,} grades {verb}, {endings:,} endings.")
