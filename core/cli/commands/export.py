"""export: a report folder for a colleague who has no lrm-tui."""

from __future__ import annotations

from pathlib import Path

import click

from core.cli.call import Call
from core.cli.grammar import ELSEWHERE, FILE, argument, command, edition_option, folders, printing
from core.errors import UsageError
from core.results.tables.printed import EDITIONS, Edition

FOLDER = "a new or empty folder, or an older report to replace"


@command(ELSEWHERE, "lrm-tui export report", order=3)
@printing
@argument("folder", "FOLDER", FOLDER, type=FILE, values=folders)
@click.option("--without-published", is_flag=True, help="leave the paper's and the recorded numbers out")
@edition_option
def export(call: Call, folder: Path, without_published: bool, edition: Edition | None) -> int:
    """A report folder: HTML with plots, CSV, LaTeX, origin."""
    from core.cli.output import print_json, tables
    from core.results.show.report import export as write
    from core.text import printable

    if without_published and edition:
        raise UsageError("--without-published leaves every edition out.", "Give it or --edition, not both.")
    with tables(call) as connection:
        paths = write(connection, folder, None if without_published else edition or EDITIONS[0])
    if call.json:
        print_json({"folder": str(folder), "files": [path.name for path in paths]})
    else:
        print(printable(f"{len(paths)} files; open {folder / 'index.html'}"))
    return 0
