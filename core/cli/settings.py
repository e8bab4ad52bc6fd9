"""settings: what is set and where, and a file to begin with."""

from __future__ import annotations

from argparse import Namespace

from rich.table import Table
from rich.text import Text

from core.cli.common import console, print_json
from core.settings import Setting, load, settings_file, write
from core.text import printable


def settings(given: Namespace) -> int:
    """Print every setting with its value, its origin and its sentence, or write the file."""
    file = settings_file()
    if given.init:
        write(file)
        if given.json:
            print_json({"file": str(file)})
        else:
            print(printable(f"Wrote {file}: every setting with its default, none of them set."))
        return 0
    listed = list(load().listed())
    if given.json:
        print_json({"file": str(file), "exists": file.is_file(), "settings": [_json(setting) for setting in listed]})
        return 0
    out = console()
    state = "" if file.is_file() else " (not there; `lrm-tui settings --init` writes it)"
    out.print(printable(f"File: {file}{state}. A variable of the environment goes before it."), soft_wrap=True)
    out.print(_table(listed, str(file)))
    return 0


def _table(listed: list[Setting], file: str) -> Table:
    """Settings that are not at their default stand out."""
    table = Table(box=None, pad_edge=False)
    for heading in ("setting", "value", "from"):
        table.add_column(heading, overflow="fold")
    for setting in listed:
        origin = "the file" if setting.source == file else setting.source
        cells = (setting.name, shown(setting.value), origin)
        table.add_row(*(Text(printable(cell), "" if setting.source == "default" else "bold") for cell in cells))
    return table


def shown(value: object) -> str:
    """A value as users read it."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "unset" if value is None else str(value)


def _json(setting: Setting) -> dict[str, object]:
    return {
        "name": setting.name,
        "value": setting.value,
        "source": setting.source,
        "variable": setting.variable,
        "help": setting.help,
    }
