"""Progress: a bar on a terminal, a line a job in a file, and otherwise nothing."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from core.cli.progress import Bar, Ticker

CODE = "from core.cli.progress import Bar\nwith Bar() as bar:\n    bar.update('[b]copying', 3, 8)"


def test_a_file_gets_a_line_for_each_job_and_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with Ticker() as ticker:
        for job, done in ((1, 0), (1, 1), (2, 0), (2, 1)):
            ticker.show(job, f"#{job} {done}/2", f"#{job}", done, 2)
    assert capsys.readouterr().err.splitlines() == ["#1 0/2", "#2 0/2"]
    with Bar() as bar:
        bar.update("copying", 3, 8)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_with_its_label_as_it_is() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.run([sys.executable, "-c", CODE], stderr=theirs, stdout=subprocess.PIPE, env=environment, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "[b]copying" in shown and "3 of 8" in shown and done.stdout == b""
