"""backup: a checked copy of the store while runs go on."""

from __future__ import annotations

from pathlib import Path

from core.cli.call import Call
from core.cli.grammar import ELSEWHERE, FILE, argument, command, printing

DETAILS = (
    "To restore a copy: `lrm-tui runner stop`, move runs.db, runs.db-wal and runs.db-shm away, and copy the backup to runs.db."
)


@command(ELSEWHERE, "lrm-tui backup runs-copy.db", order=4, details=DETAILS)
@printing
@argument("destination", "DEST", "a new file, or a folder in which it is named by the time", type=FILE)
def backup(call: Call, destination: Path) -> int:
    """Copy the store while runs go on."""
    from core.cli.output import print_json
    from core.cli.progress import Bar
    from core.store.backup import backup as copy
    from core.text import printable

    call.require_store()
    with Bar() as bar:
        bar.update("copying the store")

        def progress(done: int, total: int) -> None:
            bar.update("pages copied" if done < total else "checking the copy", done, total)

        made = copy(call.store, destination.absolute(), progress)
    size = made.stat().st_size
    if call.json:
        print_json({"backup": str(made), "bytes": size})
    else:
        print(printable(f"{made}: {size:,} bytes, checked"))
    return 0
