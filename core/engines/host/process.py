"""Process handling of every child that speaks a protocol: it takes over its pipes, and ends with all processes it started.

A library may start processes of its own, such as vLLM's engine on the GPU. Then the host leads a process group, and a guard in
that group, a second small process that runs this file, waits for the host's end, removes the group's folder for temporary
files, where vLLM leaves its sockets, and kills the group: even after kill -9.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO, NoReturn


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Private, non-inheritable copies of stdin and stdout; what C libraries print goes to stderr from here on."""
    stdin = os.fdopen(os.dup(0), "rb")
    stdout = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return stdin, stdout


def leave(code: int) -> NoReturn:
    """End this process at once, with its process group if it leads one."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(code)


def end_with_this_process() -> None:
    """Make all processes started from now on end with this one, and have their temporary files removed then."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    usual = tempfile.gettempdir()
    tempfile.tempdir = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="lrm-")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", f"{usual}/torchinductor_{os.getuid()}")  # outlives the process
    handle = os.pidfd_open(os.getpid())
    command = [sys.executable, "-I", "-S", str(Path(__file__)), str(handle), tempfile.tempdir]
    subprocess.Popen(command, pass_fds=[handle], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    os.close(handle)


if __name__ == "__main__":
    select.select([int(sys.argv[1])], [], [])
    subprocess.Popen(["rm", "-rf", "--", sys.argv[2]], start_new_session=True)
    os.killpg(0, signal.SIGKILL)
