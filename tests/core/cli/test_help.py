"""Help names every command under a heading, with an example that the grammar takes, and imports nothing heavy."""

from __future__ import annotations

import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest

from core import cli
from core.cli import commands
from core.cli.grammar import HEADINGS
from core.cli.program import NAME, by_heading, program
from docs import generate
from tests.helpers.command_line import parsed

CONTEXT = click.Context(program, info_name=NAME)
COMMANDS = {command.name: command for members in by_heading(program, CONTEXT).values() for command in members}
HEAVY = ("torch", "pandas", "numpy", "sqlite_utils", "transformers", "textual", "datasets", "psutil")
NEW = '''
import click
from core.cli.call import Call
from core.cli.grammar import ELSEWHERE, command

@command(ELSEWHERE, "lrm-tui greet --name you")
@click.option("--name", type=click.Choice(("you", "world")), default="world", help="whom to greet")
def greet(call: Call, name: str) -> int:
    """Say hello."""
    print(f"hello {name}")
    return 0
'''


def test_every_file_is_a_command_under_a_heading() -> None:
    files = {file.stem for file in Path(commands.__file__).parent.glob("*.py")} - {"__init__"}
    assert set(COMMANDS) == set(program.list_commands(CONTEXT)) == {file.rstrip("_") for file in files}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_of_a_command_is_one_that_it_takes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    example = COMMANDS[name].example
    first, *arguments = shlex.split(example.removeprefix("source <(").rstrip(")"))
    assert first == NAME and parsed(arguments).info_name == name
    assert cli.main([name, "--help"]) == 0
    assert f"\n  {example}\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_is_explained(name: str) -> None:
    parameters = [parameter for parameter in COMMANDS[name].params if parameter.metavar != ""]
    assert [p.name for p in parameters if isinstance(p, click.Option | click.Argument) and not p.help] == []
    assert COMMANDS[name].summary


def test_help_fits_a_narrow_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert max(map(len, shown)) <= 80
    assert [line.rstrip(":") for line in shown if line.rstrip(":") in HEADINGS] == list(HEADINGS)
    for command in COMMANDS.values():
        assert any(line.split() == [str(command.name), *command.summary.split()] for line in shown), command.name


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"lrm-tui {version('lrm-tui')}"


def test_a_file_in_the_folder_is_all_that_a_command_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from core.cli.completion import SHELLS

    (tmp_path / "greet.py").write_text(NEW, encoding="utf-8")
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    monkeypatch.setattr(commands, "greet", None, raising=False)  # undone: importing sets it
    monkeypatch.setitem(sys.modules, "core.cli.commands.greet", None)
    monkeypatch.delitem(sys.modules, "core.cli.commands.greet")
    assert cli.main(["greet", "--name", "you"]) == 0
    assert cli.main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("hello you\n") and "greet       say hello" in printed and "$ lrm-tui greet --name you" in printed
    page = "\n".join(generate.commands())
    assert "### lrm-tui greet\n\nSay hello.\n" in page and "| `--name NAME` (you, world) | whom to greet |" in page
    shell = SHELLS["bash"](program, {}, NAME, "_")
    assert [item.value for item in shell.get_completions([], "gree")] == ["greet"]
    assert [item.value for item in shell.get_completions(["greet", "--name"], "")] == ["you", "world"]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["add", "--help"], ["completion", "bash"]])
def test_reading_the_command_line_imports_nothing_heavy(arguments: list[str]) -> None:
    assert imported(f"cli.main({arguments})") == []


@pytest.mark.parametrize("line", ["lrm-tui ", "lrm-tui add --benchmark ", "lrm-tui add --model ", "lrm-tui scores --f"])
def test_completing_imports_nothing_heavy(line: str) -> None:
    words = f"os.environ.update(COMP_WORDS={line!r}, COMP_CWORD={len(line.split()) - (not line.endswith(' '))!r}"
    assert imported(f"{words[:-1]}'{words[-1]}', _LRM_TUI_COMPLETE='bash_complete'); cli.main()") == []


def test_without_a_command_no_command_is_imported() -> None:
    code = "import sys, tui.entry; from core import cli; cli.main([], lambda call: 0); "
    code += "print([m for m in sys.modules if m.startswith('core.cli.commands.') or m in ('rich', 'sqlite3')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr


def imported(statement: str) -> list[str]:
    """Which heavy modules are imported once a statement over `cli` and `os` has run in a process of its own."""
    code = (
        f"import os, sys; from core import cli; {statement}; print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout
    return [name for name in HEAVY if name in done.stderr]
