"""What the grammar of a command is made of: the decorator `command`, the options that commands share, and completion.

A command is one file in `core/cli/commands`, named like the command, which imports nothing heavy at its top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import click
from click.shell_completion import CompletionItem

from core.cli.call import Call
from core.errors import LrmError
from core.results.tables.printed import EDITIONS

if TYPE_CHECKING:
    import sqlite3

BEGIN = "Begin"
QUEUE = "Queue and run"
RESULTS = "Read the results"
ELSEWHERE = "From elsewhere and to others"
HEADINGS = (BEGIN, QUEUE, RESULTS, ELSEWHERE)
"""The headings of `lrm-tui --help`, in order."""

MOST = 500
"""Jobs or variants that a shell offers."""
FORMATS = ("table", "csv", "markdown", "latex", "json", "html")
FILE = click.Path(path_type=Path, readable=False)
"""A path that is not looked at while the command line is read: commands say themselves what is wrong with it."""

Values: TypeAlias = list[CompletionItem]
Complete: TypeAlias = Callable[[click.Context, click.Parameter, str], Values]
P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])


class Command(click.Command):
    """A command with what lists say of it, its heading, its place under it, and an example."""

    summary: str
    heading: str
    order: int
    example: str

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """End the help with the example, on a line of its own however long it is."""
        with formatter.section("Example"):
            formatter.write(f"{'':>{formatter.current_indent}}{self.example}\n")


def command(
    heading: str,
    example: str,
    order: int = 99,
    details: str = "",
    options: Sequence[click.Parameter] = (),
    negative_numbers: bool = False,
) -> Callable[[Callable[Concatenate[Call, P], int]], Command]:
    """Make a function a command: its docstring is what lists and help say of it, `details` what its own help adds.

    `order` is its place under the heading (then by name); `options` are those beside the function's own that write into the
    call; with `negative_numbers` its arguments may be such as -1, which else reads like an option.
    """

    def made(function: Callable[Concatenate[Call, P], int]) -> Command:
        name, sentence = function.__name__.rstrip("_"), (function.__doc__ or "").strip()
        settings = {"ignore_unknown_options": negative_numbers}
        decorated = click.command(name, cls=Command, context_settings=settings)(click.pass_obj(function))
        decorated.summary = f"{sentence[:1].lower()}{sentence[1:]}".rstrip(".")
        decorated.heading, decorated.order, decorated.example = heading, order, example
        decorated.help = f"{sentence} {details}".rstrip()
        decorated.params += [*options, *common_options()]
        return decorated

    return made


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
    """Write the value of a shared option into the call; what is not given leaves the value from before the command."""
    if value and parameter.name:
        setattr(context.obj, parameter.name, value)


def _keep_format(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    _keep(context, parameter, value)
    if value == "json":
        context.obj.json = True


def _shared(
    name: str, help: str, metavar: str, type: click.ParamType[Any] | None = None, values: Complete | None = None
) -> click.Option:
    return click.Option(
        [name], callback=_keep, expose_value=False, help=help, metavar=metavar, type=type, shell_complete=values
    )


def _shared_flag(name: str, help: str) -> click.Option:
    return click.Option([name], callback=_keep, expose_value=False, help=help, is_flag=True)


def common_options() -> list[click.Parameter]:
    """Options before or after a command."""
    return [
        _shared("--db", "the store (default: LRM_DB, else runs.db here)", "DB", FILE),
        _shared("--data", "folder of real benchmark files (LRM_DATA)", "DATA", FILE, folders),
    ]


def screen_options() -> list[click.Parameter]:
    """How the workbench is opened."""
    return [
        _shared_flag("--readonly", "show everything, change nothing"),
        _shared_flag("--ascii", "draw with ASCII alone"),
        _shared_flag("--slow", "send less, for slow lines: fewer updates, no sparklines"),
        _shared_flag("--no-mouse", "leave the mouse to the terminal"),
        _shared("--theme", "colours: textual-dark, nord, ..., ansi-dark (the terminal's own)", "NAME", values=theme_names),
    ]


def printing(function: F) -> F:
    """Add --json."""
    return click.option("--json", is_flag=True, callback=_keep, expose_value=False, help="print data as JSON")(function)


def tabular(function: F) -> F:
    """Add --json and --format."""
    choice = click.Choice(FORMATS)
    form = click.option("--format", type=choice, callback=_keep_format, expose_value=False, help="how to print (default table)")
    return printing(form(function))


def beside_printed(function: F) -> F:
    """Add --published and --edition; the latter alone asks for printed numbers too."""
    flag = click.option("--published", is_flag=True, help="the paper's and recorded numbers beside, with differences")
    return flag(edition_option(function))


def edition_option(function: F) -> F:
    """Add --edition."""
    choice = click.Choice(EDITIONS, case_sensitive=False)
    return click.option("--edition", type=choice, help=f"the paper's version to compare with (default {EDITIONS[0]})")(function)


def argument(
    name: str,
    metavar: str | None,
    help: str,
    type: click.ParamType[Any] | None = None,
    nargs: int = 1,
    required: bool | None = None,
    values: Complete | None = None,
) -> Callable[[F], F]:
    """A positional argument: `nargs` -1 takes any number of values, `values` completes one in a shell."""
    return click.argument(name, metavar=metavar, help=help, type=type, nargs=nargs, required=required, shell_complete=values)


def jobs_argument(function: F) -> F:
    """Add JOB..., one number or several."""
    text = "numbers as in `lrm-tui ls`"
    return argument("jobs", "JOB...", text, type=click.INT, nargs=-1, required=True, values=job_numbers)(function)


def _beginning(values: tuple[str, ...], incomplete: str) -> Values:
    return [CompletionItem(value) for value in values if value.startswith(incomplete)]


def folders(context: click.Context, parameter: click.Parameter, incomplete: str) -> Values:
    """Complete folders."""
    return [CompletionItem(incomplete, type="dir")]


def files(context: click.Context, parameter: click.Parameter, incomplete: str) -> Values:
    """Complete files."""
    return [CompletionItem(incomplete, type="file")]


def models(context: click.Context, parameter: click.Parameter, incomplete: str) -> Values:
    """Complete the models that have a name; where none begins like this, files."""
    from core.jobs.models import INSTALLED

    return _beginning(tuple(INSTALLED), incomplete) or files(context, parameter, incomplete)


def benchmarks(context: click.Context, parameter: click.Parameter, incomplete: str) -> Values:
    """Complete benchmarks."""
    from benchmarks.registry import names

    return _beginning(tuple(names()), incomplete)


def job_numbers(context: click.Context, parameter: click.Parameter, incomplete: str) -> Values:
    """Complete the numbers of jobs, each told what it is; the newest first."""
    from core.store.joins import JOBS, VARIANT

    rows = _stored(context, f"SELECT j.id, {VARIANT} AS name, j.benchmark, j.state FROM {JOBS} ORDER BY j.id DESC LIMIT {MOST}")
    return [
        CompletionItem(str(row["id"]), help=f"{row['name']} {row['benchmark'] or 'prepare'} ({row['state']})")
        for row in rows
        if str(row["id"]).startswith(incomplete)
    ]


def variant_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> Values:
    """Complete the names of variants that have jobs."""
    from core.store.joins import JOBS, VARIANT

    rows = _stored(context, f"SELECT DISTINCT {VARIANT} AS name FROM {JOBS} ORDER BY name LIMIT {MOST}")
    return _beginning(tuple(row["name"] for row in rows), incomplete)


def theme_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> Values:
    """Complete the themes of the workbench."""
    call: Call = context.find_root().obj
    return _beginning(tuple(call.themes()), incomplete)


def filter_words(context: click.Context, parameter: click.Parameter, incomplete: str) -> Values:
    """Complete the words of a filter of responses."""
    from core.grading.endings import ENDINGS
    from core.store.filters import ORDERS, VERDICTS

    name, colon, value = incomplete.partition(":")
    if colon:
        values = {"benchmark": [item.value for item in benchmarks(context, parameter, value)], "ending": ENDINGS}
        return _beginning(tuple(f"{name}:{each}" for each in values.get(name, ())), incomplete)
    names = tuple(f"{each}:" for each in ("variant", "benchmark", "item", "ending", "job", "words"))
    return _beginning((*VERDICTS, *ORDERS, *names), incomplete)


def _stored(context: click.Context, sql: str) -> list[sqlite3.Row]:
    """Rows of the store of a command line that is being completed; none where it cannot be read."""
    call: Call = context.find_root().obj
    try:
        with call.reading() as connection:
            return connection.execute(sql).fetchall()
    except LrmError:
        return []


def compressions(context: click.Context, parameter: click.Parameter, incomplete: str) -> Values:
    """Complete the compressions that have a name, and the usual prunings."""
    from core.compress.recipes import DYNAMIC, NONE, PLAIN_TYPES

    prunings = ("sparsegpt-50", "wanda-50", "magnitude-50")
    return _beginning((NONE, *PLAIN_TYPES, *DYNAMIC, *prunings), incomplete)
