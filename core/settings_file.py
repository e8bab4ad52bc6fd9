"""A settings file to begin with: every setting with its sentence, its default and its variable, and none of them set."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from core.errors import LrmError, UsageError
from core.settings import Setting, Settings

WIDTH = 100
HEAD = (
    "Settings of lrm-tui. All are at their defaults: remove the # before a name to set it. A variable of the environment, "
    "named in brackets, goes before this file. `lrm-tui settings` shows what holds."
)


def template() -> str:
    """The file's text."""
    lines = [*_comment(HEAD)]
    group = ""
    for setting in Settings({}, {}, Path()).listed():
        head, name = divided(setting.name)
        if head != group:
            lines += ["", f"[{_key(head)}]"]
            group = head
        lines += ["", *_comment(f"{setting.help} ({setting.variable})"), f"# {_key(name)} = {default(setting)}"]
    return "\n".join([*lines, ""])


def write(file: Path) -> None:
    """Write the file, and its folder. Raises UsageError where it is there already, LrmError where it cannot be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as out:
            out.write(template())
    except FileExistsError:
        raise UsageError(f"{file} is there already and stays as it is.", "Edit it, or move it away first.") from None
    except OSError as error:
        raise LrmError(f"{file} cannot be written: {error.strerror}.", "Name another place with LRM_SETTINGS=FILE.") from error


def divided(name: str) -> tuple[str, str]:
    """Table and key of a setting: `llama.cpp.slots` is `slots` of "llama.cpp"; `python.openai` is `openai` of `python`."""
    if name.startswith("python."):
        return "python", name.removeprefix("python.")
    head, _, key = name.rpartition(".")
    return head, key


def default(setting: Setting) -> str:
    """The default as TOML writes it; where unset is the default, the kind of value in capitals."""
    if setting.name.startswith("python."):
        return '"/path/to/python"'
    return "NUMBER" if setting.value is None and str not in get_args(setting.kind) else _toml(setting.value)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return '"TEXT"' if value is None else f'"{value}"'


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() else f'"{name}"'


def _comment(text: str) -> Iterable[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
