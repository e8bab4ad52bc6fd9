"""Help names every command under a heading, with an example that the grammar takes; completion knows commands and values."""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core import cli
from core.cli.completion import script
from core.cli.help import EXAMPLES, OTHER, commands_of, example, headings
from core.cli.parser import build

COMMANDS = commands_of(build())


def test_every_command_stands_in_the_list_and_has_a_function() -> None:
    assert set(COMMANDS) == set(cli.COMMANDS)
    assert OTHER not in headings(COMMANDS), f"give these an example in core/cli/help.py: {headings(COMMANDS).get(OTHER)}"
    assert {name for examples in EXAMPLES.values() for name in examples} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_of_a_command_is_one_that_it_takes(name: str) -> None:
    line = example(name).removeprefix("source <(").rstrip(")")
    program, *arguments = shlex.split(line)
    assert program == "lrm-tui" and cli.parse(arguments).command == name
    assert example(name) in COMMANDS[name].format_help()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_is_explained(name: str) -> None:
    actions = [action for action in COMMANDS[name]._actions if action.help != argparse.SUPPRESS]
    assert [action.dest for action in actions if not action.help] == []


def test_help_fits_a_narrow_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.parse(["--help"])
    shown = capsys.readouterr().out.splitlines()
    assert max(map(len, shown)) <= 80
    assert [line.rstrip(":") for line in shown if line.rstrip(":") in EXAMPLES] == list(EXAMPLES)


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    with pytest.raises(SystemExit) as ended:
        cli.parse(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == f"lrm-tui {version('lrm-tui')}"


def completed(shell: str, folder: Path, line: str) -> set[str]:
    """What a real shell offers at the end of a line."""
    file = folder / f"lrm-tui.{shell}"
    file.write_text(script(shell))
    if shell == "fish":
        ask = f"source {file}; complete -C {shlex.quote(line)}"
    else:
        words = shlex.split(line) + ([""] if line.endswith(" ") else [])
        ask = (
            f"source {file}; COMP_WORDS=({' '.join(map(shlex.quote, words))}); COMP_CWORD={len(words) - 1}; "
            f"_shtab_lrm_tui lrm-tui {words[-1]!r} {words[-2]!r}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
    done = subprocess.run([shell, "-c", ask], capture_output=True, text=True, timeout=60, check=True, cwd=folder)
    return {offered.split("\t")[0].strip() for offered in done.stdout.splitlines()}


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_a_shell_completes_commands_options_and_values(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert completed(shell, tmp_path, "lrm-tui sc") == {"scan", "scores"}
    assert completed(shell, tmp_path, "lrm-tui add --be") == {"--benchmark"}
    assert "pocket-logic" in completed(shell, tmp_path, "lrm-tui add --benchmark pocket-")
    assert completed(shell, tmp_path, "lrm-tui runner st") == {"status", "start", "stop"}


def test_zsh_takes_its_script(tmp_path: Path) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    (tmp_path / "_lrm-tui").write_text(script("zsh"))
    ask = f"fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -D; print $_comps[lrm-tui]; zsh -n _lrm-tui"
    done = subprocess.run(["zsh", "-fc", ask], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert (done.stdout.strip(), done.stderr) == ("_lrm-tui", "")


def test_help_and_completion_import_nothing_heavy() -> None:
    heavy = ("torch", "pandas", "numpy", "sqlite_utils", "transformers", "textual")
    code = (
        f"import sys; from core.cli.completion import script; script('bash'); print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr
