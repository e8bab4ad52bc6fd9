"""`lrm-tui` itself: the options before a command, and the commands, each read from its file when it is needed."""

from __future__ import annotations

import pkgutil
import textwrap
from importlib import import_module

import click

from core.cli import commands
from core.cli.call import Call
from core.cli.grammar import HEADINGS, Command, common_options, screen_options

NAME = "lrm-tui"
COMPLETE_VARIABLE = "_LRM_TUI_COMPLETE"
WIDTH = 80
DESCRIPTION = "What does compression do to reasoning models?"
WITHOUT_COMMAND = (
    "Without a command the workbench opens over the runs of this folder. Close it whenever you like: the runs go on, and it "
    "shows them again when you come back."
)
TAIL = f"`{NAME} COMMAND --help` says what a command takes; docs/commands.md has all of it on one page."


class Program(click.Group):
    """The group whose commands are the files of `core/cli/commands`: a command's name is its file's, without a final `_`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, without importing one."""
        return sorted(_files())

    def get_command(self, ctx: click.Context, cmd_name: str) -> Command | None:
        """A command from its file; None where there is no such file."""
        file = _files().get(cmd_name)
        if file is None:
            return None
        member = getattr(import_module(f"{commands.__name__}.{file}"), file)
        assert isinstance(member, Command), f"core/cli/commands/{file}.py defines no command {file}"
        return member

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Commands by heading, each with its example, then the options."""
        grouped = by_heading(self, ctx)
        width = max(map(len, _files())) + 2
        for heading, members in grouped.items():
            with formatter.section(heading):
                indent = " " * formatter.current_indent
                for member in members:
                    formatter.write(f"{indent}{member.name:<{width}}{member.summary}\n")
                    formatter.write(f"{indent}{'':<{width}}$ {member.example}\n")
        click.Command.format_options(self, ctx, formatter)


def _files() -> dict[str, str]:
    """The file of each command."""
    return {module.name.rstrip("_"): module.name for module in pkgutil.iter_modules(commands.__path__)}


def by_heading(group: Program, context: click.Context) -> dict[str, list[Command]]:
    """All commands by heading, in the order in which they are listed."""
    members = [command for name in group.list_commands(context) if (command := group.get_command(context, name))]
    members.sort(key=lambda command: (command.order, command.name or ""))
    return {heading: [command for command in members if command.heading == heading] for heading in HEADINGS}


def _run(context: click.Context) -> int:
    """Open the workbench where no command is named."""
    call: Call = context.obj
    return call.workbench(call) if context.invoked_subcommand is None else 0


program = click.version_option(package_name=NAME, message="%(prog)s %(version)s", help="print the version and exit")(
    Program(
        NAME,
        callback=click.pass_context(_run),
        invoke_without_command=True,
        params=[*common_options(), *screen_options()],
        help=f"{DESCRIPTION}\n\n{WITHOUT_COMMAND}",
        epilog=textwrap.fill(TAIL, WIDTH),
        subcommand_metavar="[COMMAND ...]",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
)
