"""Ends the processes that a library starts, such as vLLM's engine on the GPU, together with the host: even by kill -9.

The host leads a process group. A guard in that group, a second small process, waits for the host's end, has the group's folder
for temporary files removed, where vLLM leaves its sockets, and ends the group.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path


def end_with_this_process() -> None:
    """From now on, whatever this process starts ends with it, and what that puts where temporary files go is removed."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    usual = tempfile.gettempdir()
    tempfile.tempdir = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="lrm-")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", f"{usual}/torchinductor_{os.getuid()}")  # what is compiled is kept
    handle = os.pidfd_open(os.getpid())
    command = [sys.executable, "-I", "-S", str(Path(__file__)), str(handle), tempfile.tempdir]
    subprocess.Popen(command, pass_fds=[handle], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    os.close(handle)


if __name__ == "__main__":
    select.select([int(sys.argv[1])], [], [])
    subprocess.Popen(["rm", "-rf", "--", sys.argv[2]], start_new_session=True)
    os.killpg(0, signal.SIGKILL)
