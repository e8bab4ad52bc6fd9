"""export: a report for a colleague who has no lrm-tui."""

from __future__ import annotations

from pathlib import Path

import click

from core.cli.call import Call
from core.cli.grammar import ELSEWHERE, FILE, argument, beside_printed, command, folders, printing
from core.results.tables.printed import EDITIONS, Edition

FOLDER = "a new or empty folder, or an older report to replace; with --single-file a file"


@command(ELSEWHERE, "lrm-tui export report", order=3)
@printing
@argument("folder", "FOLDER", FOLDER, type=FILE, values=folders)
@click.option("--single-file", is_flag=True, help="one HTML file to send, without CSV, LaTeX and pictures beside it")
@beside_printed
def export(call: Call, folder: Path, single_file: bool, published: bool, edition: Edition | None) -> int:
    """A report: a page with plots and texts, CSV, LaTeX, origin."""
    from core.cli.output import print_json, tables
    from core.results.show import report
    from core.text import printable

    beside = edition or (EDITIONS[0] if published else None)
    with tables(call) as connection:
        write = report.export_page if single_file else report.export
        written = write(connection, folder, beside)
    paths = [written] if isinstance(written, Path) else written
    if call.json:
        print_json({"folder": str(folder), "files": [path.name for path in paths]})
    else:
        print(printable(f"{len(paths)} file{'s' * (len(paths) > 1)}; open {folder if single_file else folder / 'index.html'}"))
    return 0
