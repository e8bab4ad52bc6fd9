"""Ends the processes that a library starts, such as vLLM's engine on the GPU, together with the host: even by kill -9.

The host leads a process group. A guard in that group, a second small process, waits for the host's end and ends the group.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path


def end_with_this_process() -> None:
    """From now on, whatever this process starts ends with it."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    handle = os.pidfd_open(os.getpid())
    command = [sys.executable, "-I", "-S", str(Path(__file__)), str(handle)]
    subprocess.Popen(command, pass_fds=[handle], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    os.close(handle)


if __name__ == "__main__":
    select.select([int(sys.argv[1])], [], [])
    os.killpg(0, signal.SIGKILL)
