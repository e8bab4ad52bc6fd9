"""Completion in a shell: the script that a shell reads, and the answers that `lrm-tui` gives it."""

from __future__ import annotations

from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from core.cli.call import Call, no_workbench
from core.cli.program import COMPLETE_VARIABLE, NAME, program

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}

_PLAIN, _QUOTED = "COMPREPLY+=($value)", 'COMPREPLY+=("$(printf %q "$value")")'
"""In bash click puts a value on the line as it is; names of variants have a space, which must be quoted."""


def script(shell: str) -> str:
    """The script for a shell, which asks `lrm-tui` for what may stand at the cursor."""
    source = _completer(shell, Call(no_workbench)).source()
    return source.replace(_PLAIN, _QUOTED) if shell == "bash" else source


def answer(instruction: str, call: Call) -> str:
    """What may stand where a shell's cursor is; the shell gives the line in variables of its own."""
    return _completer(instruction.partition("_")[0], call).complete()


def _completer(shell: str, call: Call) -> ShellComplete:
    return SHELLS[shell](program, {"obj": call}, NAME, COMPLETE_VARIABLE)
