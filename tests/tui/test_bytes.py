"""The terminal's odd bytes, through a real pseudo-terminal; and no terminal at all."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

import pyte
import pytest

from core.errors import UsageError
from tests.helpers.runs import LRM, REPOSITORY, wait_for_text
from tui.driver import Input
from tui.terminal import check_theme

OLD_MOUSE = b"\x1b[M" + bytes((32, 32 + 113, 40)) + b"\x1b[M" + bytes((32, 0xE0, 0xC3))
"""Reports of column 113, and of one whose bytes begin a character of UTF-8."""


@pytest.mark.parametrize("cut", range(len(OLD_MOUSE) + 1))
def test_old_mouse_reports_are_dropped_wherever_a_read_ends(cut: int) -> None:
    source = Input()
    texts = source.text(b"a" + OLD_MOUSE[:cut]), source.text(OLD_MOUSE[cut:] + "é".encode())
    if b"\x1b[M" in OLD_MOUSE[:cut][-5:] or cut in (0, 6, 12):
        assert "".join(texts) == "aé"


def test_bytes_that_are_no_text_are_replaced() -> None:
    source = Input()
    assert source.text(b"x\xff\xc3") + source.text(b"\xa9y") == "x\ufffd\u00e9y"


def test_the_app_survives_every_byte(tmp_path: Path) -> None:
    screen = pyte.Screen(120, 40)
    stream = pyte.ByteStream(screen)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "TERM": "xterm-256color", "XDG_STATE_HOME": str(tmp_path)}
    environment |= {"COLUMNS": "120", "LINES": "40"}  # tests that run in parallel have a narrower size there
    process = subprocess.Popen(LRM, cwd=tmp_path, env=environment, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    try:
        wait_for_text(master, stream, screen, "ctrl+p finds a command")
        for odd in (
            OLD_MOUSE,
            b"\xff\xfe\x80",
            b"\xc3",
            b"\x1b[200~pasted \xff\x1b[201~",
            b"\x1b[<0;9999;9999M",
            bytes(range(128, 256)),
        ):
            os.write(master, odd)
            drain(master, stream)
        os.write(master, b"\x03")
        end = time.monotonic() + 40
        while "ctrl+q from anywhere" not in "\n".join(screen.display):  # a toast stays for a few seconds only
            assert process.poll() is None and time.monotonic() < end, screen.display
            drain(master, stream)
        assert "[b]" not in "\n".join(screen.display)
        os.write(master, b"q")
        drain(master, stream, process)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)


def drain(master: int, stream: pyte.ByteStream, process: subprocess.Popen[bytes] | None = None) -> None:
    """Read what is drawn, for a moment or until the process has ended."""
    end = time.monotonic() + (20 if process else 0.3)
    while time.monotonic() < end and (process is None or process.poll() is None):
        if select.select([master], [], [], 0.05)[0]:
            try:
                stream.feed(os.read(master, 65536))
            except OSError:  # the terminal is gone with the process
                return


def test_without_a_terminal_a_sentence_says_so(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        LRM, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("lrm-tui: The workbench needs a terminal") and "\x1b" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_theme_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no theme 'nrod'\. Did you mean 'nord'"):
        check_theme("nrod")
    check_theme("ansi-dark")
