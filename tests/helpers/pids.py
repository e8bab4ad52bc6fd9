"""Processes under numbers that were another's before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]


def stranger(pid: int, tries: int = 2000) -> subprocess.Popen[bytes]:
    """A process of ours that has been given the free number `pid`; skips where the system does not let us choose."""
    for _ in range(tries):
        try:
            LAST_PID.write_text(str(pid - 1))
        except OSError as error:
            pytest.skip(f"process numbers cannot be chosen here: {error}")
        process = subprocess.Popen(SLEEP)
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    raise AssertionError(f"the number {pid} never came")


def dead_pid() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (ProcessLookupError, FileNotFoundError):
        return False


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
