"""The Ray actor: starts one process on its node and forwards its stdin, stdout and stderr.

Ray copies this module to the node by value, where lrm-tui need not be installed: it imports the standard library only.
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
MAX_CHUNKS = 1024  # unread chunks, beyond which the process blocks on its output
END_S = 3.0
# PR_SET_PDEATHSIG: the kernel kills the process should the actor be killed, even while it hangs and does not see its stdin end.
TRAMPOLINE = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Actor:
    """One process on a node. `read` and `write` run concurrently; the calls of each run in order."""

    def node(self) -> str:
        """The name of this machine."""
        return socket.gethostname()

    def start(self, command: Sequence[str], environment: Mapping[str, str], files: Sequence[str], all_gpus: bool) -> list[str]:
        """Start the process, or return which of `files` this machine lacks."""
        if missing := [file for file in files if not Path(file).exists()]:
            return missing
        inherited = dict(os.environ)
        if all_gpus:  # Ray hides those that the actor has not reserved
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
        self._chunks: queue.Queue[tuple[int, bytes]] = queue.Queue(MAX_CHUNKS)
        self._open_streams = 2
        assert self._process.stdout is not None and self._process.stderr is not None
        for number, stream in ((1, self._process.stdout), (2, self._process.stderr)):
            threading.Thread(target=self._pump, args=(number, stream), daemon=True).start()
        return []

    def _pump(self, number: int, stream: BinaryIO) -> None:
        while chunk := os.read(stream.fileno(), CHUNK):
            self._chunks.put((number, chunk))
        self._chunks.put((number, b""))

    def write(self, data: bytes) -> None:
        """Write bytes to the process's stdin; `read` reports the end of one that has died."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def read(self, patience: float) -> tuple[bytes, bytes, int | None]:
        """The buffered bytes of stdout and of stderr, and the exit status; waits up to `patience` seconds for output.

        The status is None while the process runs, and minus the signal where it was killed.
        """
        chunks: dict[int, list[bytes]] = {1: [], 2: []}
        with contextlib.suppress(queue.Empty):
            number, chunk = self._chunks.get(timeout=patience)
            while True:
                chunks[number].append(chunk)
                self._open_streams -= not chunk
                number, chunk = self._chunks.get_nowait()
        out, err = b"".join(chunks[1]), b"".join(chunks[2])
        silent = not self._open_streams or not (out or err)  # a descendant may keep the pipes open after the process has ended
        return out, err, self._process.poll() if silent else None

    def end(self) -> None:
        """Close the process's stdin, which asks it to end; kill it after `END_S` seconds. Returns when it has ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
