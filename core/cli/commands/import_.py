"""import: outputs made elsewhere become runs, in all tables; all of them or, where one line is broken, none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.cli.call import Call
from core.cli.grammar import ELSEWHERE, FILE, argument, benchmarks, command, compressions, models, printing

if TYPE_CHECKING:
    from benchmarks.base import DataSource
    from core.importing.formats import Defaults
    from core.importing.match import Run
    from core.importing.save import Imported

EVERY = 50
PATHS = (
    "rows {model, benchmark, item, output, finish_reason, max_tokens, temperature, ...} as .jsonl, a folder MODEL/BENCHMARK of "
    "0.txt, 1.txt, ..., sample logs of lm-evaluation-harness, logs of Inspect"
)
METHOD = "what was done to the model, such as awq-4bit or sparsegpt-50 (none)"


@command(ELSEWHERE, "lrm-tui import outputs.jsonl --compression awq-4bit", order=1)
@printing
@argument("paths", "PATH...", PATHS, type=FILE, nargs=-1, required=True)
@click.option("--model", metavar="MODEL", shell_complete=models, help="the model, where rows or folders do not name it")
@click.option("--benchmark", metavar="BENCHMARK", shell_complete=benchmarks, help="the benchmark, likewise")
@click.option("--compression", metavar="COMPRESSION", shell_complete=compressions, help=METHOD)
@click.option("--parameters", metavar="PARAMETERS", help="such as 8B")
@click.option("--bits-per-weight", type=float, metavar="BITS", help="such as 4.25; sizes in `recommend` need it")
@click.option("--finish-reason", type=click.Choice(("stop", "length")), help="how every output ended, where that is known")
def import_(
    call: Call,
    paths: tuple[Path, ...],
    model: str | None,
    benchmark: str | None,
    compression: str | None,
    parameters: str | None,
    bits_per_weight: float | None,
    finish_reason: str | None,
) -> int:
    """Outputs made elsewhere become runs."""
    from benchmarks.base import DataSource
    from core.cli.output import print_json
    from core.importing.formats import Defaults
    from core.importing.match import describe
    from core.importing.save import store as store_runs
    from core.text import printable

    about = Defaults(model, benchmark, compression, parameters, finish_reason, bits_per_weight)
    source = DataSource(call.data_folder)
    graded = [(path, _graded(path, about, source)) for path in paths]
    with call.writing() as connection:
        stored = store_runs(connection, [(run, str(path.absolute())) for path, runs in graded for run in runs])
    if call.json:
        print_json([_json(imported) for imported in stored])
        return 0
    for imported in stored:
        [description] = describe([imported.run])
        print(printable(f"#{imported.job} {description}" + (" (were there already)" if imported.known else "")))
    return 0


def _graded(path: Path, about: Defaults, source: DataSource) -> list[Run]:
    from core.cli.progress import Bar
    from core.importing.formats import records
    from core.importing.match import grade

    outputs = list(records(path, about))
    with Bar() as bar:

        def progress(done: int) -> None:
            if done % EVERY == 0:
                bar.update(f"{path.name}: outputs graded", done, len(outputs))

        return grade(outputs, source, progress)


def _json(imported: Imported) -> dict[str, object]:
    run = imported.run
    about = {"model": run.model, "compression": run.compression, "benchmark": run.benchmark}
    return {"job": imported.job, **about, "outputs": len(run.responses), "known": imported.known}
