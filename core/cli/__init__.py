"""Every feature without a screen: `lrm-tui <command>`."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence

import click
from click.exceptions import NoSuchCommand

from core.cli.call import Call, Themes, Workbench, no_workbench
from core.cli.program import COMPLETE_VARIABLE, NAME, program
from core.errors import LrmError


def main(arguments: Sequence[str] | None = None, workbench: Workbench = no_workbench, themes: Themes = tuple) -> int:
    """Run a command line (the process's own where None) and return its exit code.

    Errors go to stderr with what to do next; `workbench` opens the screens where no command is named, `themes` names theirs.
    """
    call = Call(workbench, themes)
    if instruction := os.environ.get(COMPLETE_VARIABLE):
        from core.cli.completion import answer

        print(answer(instruction, call))
        return 0
    try:
        with program.make_context(NAME, list(sys.argv[1:] if arguments is None else arguments), obj=call) as context:
            return int(program.invoke(context) or 0)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        return _refused(error)
    except LrmError as error:
        return _failed(error, call.json)
    except KeyboardInterrupt:
        print(f"\n{NAME}: interrupted; what is queued goes on in the runner.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _refused(error: click.ClickException) -> int:
    """Say in one line what is wrong with a command line, and what was probably meant."""
    from core.text import printable

    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else NAME
    sentence = printable(" ".join(error.format_message().split()))
    print(f"{path}: {sentence}{_meant(error)} `{path} --help` says more.", file=sys.stderr)
    return error.exit_code


def _meant(error: click.ClickException) -> str:
    """The nearest command or value, as a question."""
    from core.text import nearest

    if isinstance(error, NoSuchCommand) and error.ctx is not None and not error.possibilities:
        return nearest(error.command_name, program.list_commands(error.ctx))
    if isinstance(error, click.BadParameter) and error.param and isinstance(error.param.type, click.Choice):
        typed = re.match(r"'(.*?)' is not one of", error.message)
        return nearest(typed[1], map(str, error.param.type.choices)) if typed else ""
    return ""


def _failed(error: LrmError, as_json: bool) -> int:
    """Say what went wrong in a command, and what to do next."""
    from core.text import printable

    if as_json:
        print(json.dumps({"error": error.message, "remedy": error.remedy}))
    print(f"{NAME}: {printable(str(error))}", file=sys.stderr)
    return error.exit_code
