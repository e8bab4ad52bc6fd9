"""The actor: starts one process on its node and carries its stdin, stdout and stderr.

This module travels to the node as it is, so that nothing of ours need be importable there: standard library alone.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

CHUNK = 65_536
HELD = 1024  # chunks, beyond which the process waits for whoever reads
END_S = 3.0
# PR_SET_PDEATHSIG: the kernel kills the process should the actor be killed, even while it hangs and does not see its stdin end.
TRAMPOLINE = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Seat:
    """One process on a node. `read` and `write` are called side by side, each in its own order."""

    def node(self) -> str:
        """The name of this machine."""
        return socket.gethostname()

    def start(self, command: Sequence[str], environment: Mapping[str, str], files: Sequence[str], all_gpus: bool) -> list[str]:
        """Start the process, or return which of `files` this machine lacks."""
        if missing := [file for file in files if not Path(file).exists()]:
            return missing
        inherited = dict(os.environ)
        if all_gpus:  # whatever the actor itself has reserved
            inherited.pop("CUDA_VISIBLE_DEVICES", None)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", TRAMPOLINE, str(os.getpid()), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**inherited, **environment},
            cwd="/",
            start_new_session=True,
        )
        self._parts: queue.Queue[tuple[int, bytes]] = queue.Queue(HELD)
        self._open = 2
        assert self._process.stdout is not None and self._process.stderr is not None
        for number, stream in ((1, self._process.stdout), (2, self._process.stderr)):
            threading.Thread(target=self._pump, args=(number, stream), daemon=True).start()
        return []

    def _pump(self, number: int, stream: BinaryIO) -> None:
        while part := os.read(stream.fileno(), CHUNK):
            self._parts.put((number, part))
        self._parts.put((number, b""))

    def write(self, data: bytes) -> None:
        """Hand bytes to the process's stdin; one that has died is noticed by `read`."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def read(self, patience: float) -> tuple[bytes, bytes, int | None]:
        """The buffered output on stdout and stderr; waits up to `patience` seconds for the first.

        Last comes the exit status, minus the signal where the process was killed; None while it runs.
        """
        parts: dict[int, list[bytes]] = {1: [], 2: []}
        with contextlib.suppress(queue.Empty):
            number, part = self._parts.get(timeout=patience)
            while True:
                parts[number].append(part)
                self._open -= not part
                number, part = self._parts.get_nowait()
        out, err = b"".join(parts[1]), b"".join(parts[2])
        silent = not self._open or not (out or err)  # what the process has started may hold its pipes open after its end
        return out, err, self._process.poll() if silent else None

    def end(self) -> None:
        """Close the process's stdin, which ends it, kill it where that does not do, and return when it is gone."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
