"""export: a report folder for a colleague who has no lrm-tui."""

from __future__ import annotations

from argparse import Namespace

from core.cli.common import print_json, tables
from core.results.show.report import export as write
from core.text import printable


def export(given: Namespace) -> int:
    """Write the report, and say where it begins."""
    files = write(tables(given), given.folder, not given.without_published)
    if given.json:
        print_json({"folder": str(given.folder), "files": [file.name for file in files]})
    else:
        print(printable(f"{len(files)} files; open {given.folder / 'index.html'}"))
    return 0
