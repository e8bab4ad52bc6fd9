"""Every feature without a screen: `lrm-tui <command>`."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable
from importlib import import_module

from core.cli.parser import build
from core.errors import LrmError
from core.text import printable

COMMANDS = {
    "demo": "core.cli.demo:demo",
    "study": "core.cli.demo:study",
    "add": "core.cli.queue:add",
    "sweep": "core.cli.queue:sweep",
    "ls": "core.cli.queue:ls",
    "clone": "core.cli.queue:clone",
    "move": "core.cli.queue:move",
    "cancel": "core.cli.queue:cancel",
    "pause": "core.cli.queue:pause",
    "requeue": "core.cli.queue:requeue",
    "show": "core.cli.show:show",
    "responses": "core.cli.responses:responses",
    "flag": "core.cli.responses:flag",
    "scores": "core.cli.tables:scores",
    "lengths": "core.cli.tables:lengths",
    "collapse": "core.cli.tables:collapse",
    "scan": "core.cli.scan:scan",
    "compare": "core.cli.compare:compare",
    "findings": "core.cli.findings:findings",
    "recommend": "core.cli.findings:recommend",
    "export": "core.cli.export:export",
    "regrade": "core.cli.regrade:regrade",
    "import": "core.cli.importing:import_outputs",
    "backup": "core.cli.backup:backup",
    "runner": "core.cli.runner:runner",
    "doctor": "core.cli.doctor.command:doctor",
    "settings": "core.cli.settings:settings",
    "completion": "core.cli.completion:completion",
}


def parse(arguments: list[str] | None = None) -> Namespace:
    """The command line as a namespace; `command` is None where the app is meant. Exits with 2 on nonsense."""
    given = build().parse_args(arguments)
    if getattr(given, "format", None) == "json":
        given.json = True
    return given


def run(given: Namespace) -> int:
    """Run a command. Returns its exit code; errors go to stderr with what to do next."""
    module, name = COMMANDS[given.command].split(":")
    command: Callable[[Namespace], int] = getattr(import_module(module), name)
    return guarded(command, given)


def guarded(command: Callable[[Namespace], int], given: Namespace) -> int:
    """Call a command and turn our errors into a message and an exit code."""
    try:
        return command(given)
    except LrmError as error:
        if getattr(given, "json", False):
            print(json.dumps({"error": error.message, "remedy": error.remedy}))
        print(f"lrm-tui: {printable(str(error))}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nlrm-tui: interrupted; what is queued goes on in the runner.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
