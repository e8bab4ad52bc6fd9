"""settings: what is set and where, and a file to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.cli.call import Call
from core.cli.grammar import BEGIN, command, printing

if TYPE_CHECKING:
    from core.results.show.sheets import Sheet
    from core.settings import Setting


@command(BEGIN, "lrm-tui settings --init", order=3)
@printing
@click.option("--init", is_flag=True, help="write a settings file that documents every setting")
def settings(call: Call, init: bool) -> int:
    """What is set, and where it is set."""
    from core.cli.output import console, print_json, print_sheets
    from core.settings import load, settings_file
    from core.text import printable

    file = settings_file()
    if init:
        return _write(call, file)
    rows = list(load().listed())
    if call.json:
        print_json({"file": str(file), "exists": file.is_file(), "settings": [_json(setting) for setting in rows]})
        return 0
    out = console()
    state = "" if file.is_file() else " (not there; `lrm-tui settings --init` writes it)"
    out.print(printable(f"File: {file}{state}. A variable of the environment goes before it."), soft_wrap=True)
    print_sheets([_sheet(rows, str(file))])
    return 0


def _write(call: Call, file: Path) -> int:
    from core.cli.output import print_json
    from core.settings import write
    from core.text import printable

    write(file)
    if call.json:
        print_json({"file": str(file)})
    else:
        print(printable(f"Wrote {file}: every setting with its default, none of them set."))
    return 0


def _sheet(rows: list[Setting], file: str) -> Sheet:
    """Settings that are not at their default stand out."""
    from core.results.show.sheets import Cell, Sheet

    cells = []
    for setting in rows:
        origin, changed = "the file" if setting.source == file else setting.source, setting.source != "default"
        cells.append(tuple(Cell(text, strong=changed) for text in (setting.name, _shown(setting.value), origin)))
    return Sheet("settings", "", "", ("setting", "value", "from"), tuple(cells), texts=3)


def _shown(value: object) -> str:
    """A value as users read it."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "unset" if value is None else str(value)


def _json(setting: Setting) -> dict[str, object]:
    names = ("name", "value", "source", "variable", "help")
    return {name: getattr(setting, name) for name in names}
