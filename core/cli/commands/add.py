"""add: a grid of runs."""

from __future__ import annotations

from typing import Unpack

import click

from core.cli.call import Call
from core.cli.grammar import QUEUE, benchmarks, command, compressions, models, printing
from core.cli.run_options import RunOptions, queue_runs, run_options

MODEL = "pocket, smollm2, a folder or a .gguf (repeatable)"
COMPRESSION = (
    "none, q4_0, magnitude-50, sparsegpt-50+q4_0, dynamic-1.58, ...; or several at once: pruned, dynamic, sweep (repeatable; "
    "none)"
)
BENCHMARK = "aime, folio, temporal, musique, pocket-... (repeatable)"


@command(QUEUE, "lrm-tui add --model pocket --benchmark pocket-logic --limit 20", order=1)
@printing
@click.option("--model", multiple=True, required=True, metavar="MODEL", shell_complete=models, help=MODEL)
@click.option("--compression", multiple=True, metavar="COMPRESSION", shell_complete=compressions, help=COMPRESSION)
@click.option("--benchmark", multiple=True, required=True, metavar="BENCHMARK", shell_complete=benchmarks, help=BENCHMARK)
@run_options
def add(
    call: Call,
    model: tuple[str, ...],
    compression: tuple[str, ...],
    benchmark: tuple[str, ...],
    **options: Unpack[RunOptions],
) -> int:
    """Queue runs: models x compressions x benchmarks."""
    from core.compress.recipes import NONE

    return queue_runs(call, model, compression or (NONE,), benchmark, options)
