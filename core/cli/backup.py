"""backup: a checked copy of the store while runs go on."""

from __future__ import annotations

import time
from argparse import Namespace

from rich.console import Console

from core.cli.common import print_json, reading, store
from core.store.backup import backup as copy
from core.text import printable


def backup(given: Namespace) -> int:
    """Copy the store, and say where the copy lies and how large it is."""
    reading(given).close()
    began = time.monotonic()
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    with console.status("copying the store") as status:

        def progress(done: int, total: int) -> None:
            left = (time.monotonic() - began) / max(done, 1) * (total - done)
            status.update(f"{done:,} of {total:,} pages  ETA {left:.0f} s" if done < total else "checking the copy")

        made = copy(store(given), given.destination.absolute(), progress)
    size = made.stat().st_size
    if given.json:
        print_json({"backup": str(made), "bytes": size})
    else:
        print(printable(f"{made}: {size:,} bytes, checked"))
    return 0
