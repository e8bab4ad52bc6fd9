"""Ends the processes that a library starts, such as vLLM's engine on the GPU, together with the host: even by kill -9.

The host leads a process group. A guard in that group, a second small process, waits for the host's end and then ends the
group, politely first, so that shared memory is given back too.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE_S = 3.0


def end_with_this_process() -> None:
    """From now on, whatever this process starts ends with it."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    handle = os.pidfd_open(os.getpid())
    command = [sys.executable, "-I", "-S", str(Path(__file__)), str(handle)]
    subprocess.Popen(command, pass_fds=[handle], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    os.close(handle)


def _guard(handle: int) -> None:
    """Wait for the end of the process behind the handle, then end this process's own group."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    select.select([handle], [], [])
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline and _others():
        time.sleep(0.05)
    os.killpg(0, signal.SIGKILL)


def _others() -> bool:
    """Whether another process of this group is alive."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            state, _parent, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(group) == os.getpgrp() and state != "Z":
            return True
    return False


if __name__ == "__main__":
    _guard(int(sys.argv[1]))
