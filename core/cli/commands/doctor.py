"""doctor: what is installed, which engines work, GPU, disk, data, store."""

from __future__ import annotations

from dataclasses import asdict

import click

from core.cli.call import Call
from core.cli.grammar import BEGIN, command, printing


@command(BEGIN, "lrm-tui doctor --fix", order=2)
@printing
@click.option("--fix", is_flag=True, help="do what is missing, saying so first")
def doctor(call: Call, fix: bool) -> int:
    """What is installed and what works."""
    from core.cli.doctor.checks import findings
    from core.cli.doctor.fix import fix as repair
    from core.cli.output import print_json
    from core.text import printable

    if fix:
        repair(call.store)
    rows = []
    for row in findings(call.store, call.data_folder):
        rows.append(row)
        if not call.json:  # each at once: an engine takes seconds to answer
            mark = "ok  " if row.ok else ("FAIL" if row.needed else "-   ")
            remedy = "" if row.ok or not row.remedy else f"  -> {row.remedy}"
            print(printable(f"{mark} {row.check}: {row.detail}{remedy}"), flush=True)
    if call.json:
        print_json([asdict(row) for row in rows])
    return 0 if all(row.ok or not row.needed for row in rows) else 1
