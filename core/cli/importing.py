"""import: outputs made elsewhere become runs, in all tables; all of them or, where one line is broken, none."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path

from rich.console import Console

from benchmarks.base import DataSource
from core.cli.common import data_folder, print_json, store
from core.importing.formats import Given, records
from core.importing.match import Run, grade, places
from core.importing.save import Imported
from core.importing.save import store as store_runs
from core.store.connection import connect, translated
from core.text import printable

EVERY = 50


def import_outputs(given: Namespace) -> int:
    """Read, grade and scan outputs, then store them in one transaction. What is there already is not doubled."""
    about = (given.model, given.benchmark, given.compression, given.parameters)
    said = Given(*about, given.finish_reason, given.bits_per_weight)
    source = DataSource(data_folder(given))
    graded = [(path, _graded(path, said, source)) for path in given.paths]
    path = store(given)
    connection = connect(path, "user")
    with translated(path):
        done = store_runs(connection, [(run, str(where.absolute())) for where, runs in graded for run in runs])
    connection.close()
    if given.json:
        print_json([_json(one) for one in done])
        return 0
    for one in done:
        [what] = places([one.run])
        print(printable(f"#{one.job} {what}" + (" (were there already)" if one.known else "")))
    return 0


def _graded(path: Path, said: Given, source: DataSource) -> list[Run]:
    found = list(records(path, said))
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    began = time.monotonic()
    with console.status("") as status:

        def progress(done: int) -> None:
            if done % EVERY == 0:
                left = (time.monotonic() - began) / done * (len(found) - done)
                status.update(printable(f"{path.name}: {done:,} of {len(found):,} outputs graded  ETA {left:.0f} s"))

        return grade(found, source, progress)


def _json(one: Imported) -> dict[str, object]:
    run = one.run
    about = {"model": run.model, "compression": run.compression, "benchmark": run.benchmark}
    return {"job": one.job, **about, "outputs": len(run.responses), "known": one.known}
