"""Real shells complete commands, options and values with the scripts that `lrm-tui completion` prints."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli.completion import script
from tests.helpers.book import Book, graded


def completed(shell: str, folder: Path, line: str) -> set[str]:
    """What a real shell offers at the end of a line."""
    file, program = folder / f"lrm-tui.{shell}", folder / "lrm-tui"
    file.write_text(script(shell))
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m tui.entry "$@"\n')
    program.chmod(0o755)
    if shell == "fish":
        ask = f"source {file}; complete -C {shlex.quote(line)}"
    else:
        words = shlex.split(line) + ([""] if line.endswith(" ") else [])
        ask = (
            f"compopt() {{ :; }}; source {file}; COMP_WORDS=({' '.join(map(shlex.quote, words))}); "
            f"COMP_CWORD={len(words) - 1}; _lrm_tui_completion lrm-tui; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(
        [shell, "-c", ask], capture_output=True, text=True, timeout=60, check=True, cwd=folder, env=environment
    )
    return {offer.split("\t")[0].strip() for offer in done.stdout.splitlines()}


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_a_shell_completes_commands_options_and_values(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert completed(shell, tmp_path, "lrm-tui sc") == {"scan", "scores"}
    assert completed(shell, tmp_path, "lrm-tui add --be") == {"--benchmark"}
    assert "pocket-logic" in completed(shell, tmp_path, "lrm-tui add --benchmark pocket-")
    assert completed(shell, tmp_path, "lrm-tui runner st") == {"status", "start", "stop"}
    assert completed(shell, tmp_path, "lrm-tui add --engine v") == {"vllm"}
    assert {"pocket", "pocket-student"} <= completed(shell, tmp_path, "lrm-tui add --model poc")
    assert completed(shell, tmp_path, "lrm-tui scores --format la") == {"latex"}
    assert "sparsegpt-50" in completed(shell, tmp_path, "lrm-tui add --compression sparse")


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_a_shell_completes_what_the_store_holds(shell: str, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    run = book.run(book.variant("q4_0"), "folio", graded(1, 2), state="done")
    monkeypatch.setenv("LRM_DB", str(book.path))
    folder = book.path.parent
    for line in ("lrm-tui show ", "lrm-tui cancel ", "lrm-tui regrade ", "lrm-tui responses --job "):
        assert completed(shell, folder, line) == {str(run)}, line
    variants = completed(shell, folder, "lrm-tui compare po")
    assert variants == {"pocket q4_0" if shell == "fish" else r"pocket\ q4_0"}  # bash puts it on the line as it stands
    assert completed(shell, folder, "lrm-tui responses wr") == {"wrong"}
    assert completed(shell, folder, "lrm-tui --theme nor") == {"nord"}


def test_zsh_takes_its_script(tmp_path: Path) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    (tmp_path / "_lrm-tui").write_text(script("zsh"))
    ask = f"fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -D; print $_comps[lrm-tui]; zsh -n _lrm-tui"
    done = subprocess.run(["zsh", "-fc", ask], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert (done.stdout.strip(), done.stderr) == ("_lrm-tui", "")
