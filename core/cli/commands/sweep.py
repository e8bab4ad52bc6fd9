"""sweep: one model with every compression that the paper compares."""

from __future__ import annotations

from typing import Unpack

import click

from core.cli.call import Call
from core.cli.grammar import QUEUE, argument, benchmarks, command, models, printing
from core.cli.run_options import RunOptions, queue_runs, run_options

DETAILS = (
    "Queue the model itself, SparseGPT at 10, 30, 40, 50, 60, 70 and 80 percent and the four dynamic recipes on every "
    "benchmark: each variant is made, then scored. The same as `add --compression sweep`."
)
BENCHMARK = "repeatable (the paper's four; for the embedded model the mini-suite's)"


@command(QUEUE, "lrm-tui sweep pocket --limit 20", order=2, details=DETAILS)
@printing
@argument("model", "MODEL", "pocket, or a folder in Hugging Face format", values=models)
@click.option("--benchmark", multiple=True, metavar="BENCHMARK", shell_complete=benchmarks, help=BENCHMARK)
@run_options
def sweep(call: Call, model: str, benchmark: tuple[str, ...], **options: Unpack[RunOptions]) -> int:
    """Queue every compression that the paper compares."""
    from benchmarks.registry import of
    from core.jobs.models import EMBEDDED

    return queue_runs(call, [model], ["sweep"], benchmark or of("pocket" if model in EMBEDDED else "paper"), options)
