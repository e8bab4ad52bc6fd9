"""completion: a script that completes commands, options and their values, without starting lrm-tui for it."""

from __future__ import annotations

import argparse
from argparse import Namespace

import shtab

from benchmarks.registry import names as benchmarks
from core.cli.help import commands_of, summaries
from core.cli.parser import build
from core.compress.recipes import DYNAMIC, NONE, PLAIN_TYPES

PATHS = {"db": shtab.FILE, "prompts": shtab.FILE, "paths": shtab.FILE, "source": shtab.FILE, "data": shtab.DIRECTORY}
EXAMPLES_OF_PRUNING = ("sparsegpt-50", "wanda-50", "magnitude-50")


def completion(given: Namespace) -> int:
    """Print the script for a shell."""
    print(script(given.shell))
    return 0


def script(shell: str) -> str:
    """The script, made from the grammar of the command line."""
    parser = build()
    for name, said in summaries(parser).items():
        commands_of(parser)[name].description = said
    for command in (parser, *commands_of(parser).values()):
        for action in command._actions:
            if values := _values(action):
                action.complete = values  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))


def _values(action: argparse.Action) -> object:
    """What may stand at an argument, where the grammar itself does not say it."""
    words = {
        "benchmark": benchmarks(),
        "compression": [NONE, *PLAIN_TYPES, *DYNAMIC, *EXAMPLES_OF_PRUNING],
    }
    if action.dest in words:
        return shtab.cmd(f"printf '%s\\n' {' '.join(words[action.dest])}")
    if action.dest == "folder":
        return shtab.DIRECTORY
    return shtab.FILE if action.dest == "model" else PATHS.get(action.dest)
