"""What each table costs as the store grows: `python -m tests.speed.tables RUNS_DB...` (made by `tests.speed.big_store`).

Each figure comes from a process of its own that opens the store anew, its pages dropped from the system's cache before
(`cold`) or not (`warm`, the best of three); `command` is the whole of `lrm-tui TABLE --json`, Python's start included (the
better of two). Beside each stands the processor's time, which others at work on the machine disturb less.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from core.results.summary_cache import cache_missing
from core.store.connection import connect

TABLES = {
    "scores": ("from core.results.tables.scores import scores_rows", "scores_rows(c)"),
    "scores --published": (
        "from core.results.tables.scores import scores_rows; from core.results.tables.differences import with_differences",
        "with_differences(scores_rows(c))",
    ),
    "lengths": ("from core.results.tables.lengths import lengths_rows", "lengths_rows(c, 30)"),
    "lengths --deciles": ("from core.results.tables.lengths import deciles_rows", "deciles_rows(c)"),
    "collapse": (
        "from core.results.tables.loops import collapse_cells; from core.results.tables.collapse_points import points",
        "collapse_cells(c), points(c)",
    ),
    "findings": ("from core.results.tables.findings import findings", "findings(c)"),
    "compare 1 5": ("from core.results.tables.compare import compare", "compare(c, '1', '5')"),
    "recommend --memory 24GB": ("from core.results.tables.recommend import recommend", "recommend(c, 24e9)"),
}
PAGES = {
    f"page, {verdict}": f"page(c, ResponseFilter(verdict='{verdict}'), 100)"
    for verdict in ("all", "correct", "wrong", "looped")
}
PAGES |= {
    "page, unparsed": "page(c, ResponseFilter(verdict='unparsed'), 100)",
    "page, oldest": "page(c, ResponseFilter(order='newest'), 100, None, True)",
    "page, longest": "page(c, ResponseFilter(order='longest'), 100)",
    "page, wrong of one run": "page(c, ResponseFilter(verdict='wrong', job=3), 100)",
    "page, wrong of a variant": "page(c, ResponseFilter(verdict='wrong', variant='R1-Distill-0 none'), 100)",
}
ONE = """
import sys, time
from pathlib import Path
from core.store.connection import connect
{imports}
began, work = time.perf_counter(), time.process_time()
c = connect(Path(sys.argv[1]), "reader")
{call}
print(time.perf_counter() - began, time.process_time() - work)
"""

Cost = tuple[float, float]
"""Seconds by the clock, and of the processor."""


def drop(path: Path) -> None:
    """Ask the system to forget what it has cached of a file."""
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def timed(path: Path, imports: str, call: str) -> Cost:
    """From opening the store to the table, in a new process."""
    code = ONE.format(imports=imports, call=call)
    out = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=True, text=True).stdout
    clock, work = map(float, out.split())
    return clock, work


def command(path: Path, table: str) -> Cost:
    """The whole command."""
    began, before = time.perf_counter(), os.times()
    words = [sys.executable, "-P", "-m", "tui.entry", *table.split(), "--json", "--db", str(path)]
    subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    work = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - began, work


def line(name: str, *costs: Cost) -> None:
    """Print one line."""
    print(f"{name:26}" + "".join(f" {clock:8.3f} {work:7.3f}" for clock, work in costs), flush=True)


def measure(path: Path) -> None:
    """Print the lines of one store."""
    with closing(connect(path, "reader")) as reader:
        count = reader.execute("SELECT count(*) FROM responses").fetchone()[0]
    began, work = time.perf_counter(), time.process_time()
    cache_missing(path)
    took, work = time.perf_counter() - began, time.process_time() - work
    size = path.stat().st_size / 1e9
    print(f"\n{count:,} responses, {size:.2f} GB; packing ended runs, once: {took:.2f} s, {work:.2f} of the processor")
    print("seconds, of the processor  " + "".join(f"{name:>16} " for name in ("cold", "warm", "command")))
    for table, (imports, call) in TABLES.items():
        drop(path)
        costs = [timed(path, imports, call), min(timed(path, imports, call) for _ in range(3))]
        line(table, *costs, min(command(path, table) for _ in range(2)))
    for name, call in PAGES.items():
        drop(path)
        imports = "from core.store.browse import page; from core.store.filters import ResponseFilter"
        line(name, timed(path, imports, call), min(timed(path, imports, call) for _ in range(3)))


if __name__ == "__main__":
    for store in sys.argv[1:]:
        measure(Path(store))
