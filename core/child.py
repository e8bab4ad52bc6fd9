"""A child process that speaks lines: engine hosts and compression workers, as the runner sees them."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import psutil

Message = TypeVar("Message")
CLOSE_S = 5.0
LOG_TAIL = 400
TRIES = 3  # how often a child that dies is started before its job fails


class ChildDied(Exception):
    """A child ended without a word of its own; whoever drives it starts it again, a few times."""


class Child(Generic[Message]):
    """Starts a command in a process group of its own, parses its stdout in a thread, keeps its stderr in a log file.

    The child ends itself when its stdin closes, which the kernel does for it should this process be killed.
    """

    def __init__(
        self, command: Sequence[str], parse: Callable[[str], Message], log: Path, environment: Mapping[str, str]
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.log = log
        self._parse = parse
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, **environment},
                text=True,
                encoding="utf-8",
                errors="replace",
                bufsize=1,
                process_group=0,  # so that what a child starts can be ended with it
            )
        self.started = process_start(self.process.pid) or 0.0
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):  # a line that is no message is a library's chatter
                self._messages.put(self._parse(line))
        self._messages.put(None)

    def send(self, line: str) -> None:
        """Write one line; a child that has died is noticed by `receive`."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.process.stdin.write(line)
            self.process.stdin.flush()

    def receive(self, timeout: float) -> list[Message | None]:
        """What has come within `timeout` seconds, everything that waits at once; None marks the end of the child."""
        found: list[Message | None] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._messages.get(timeout=timeout))
            while True:
                found.append(self._messages.get_nowait())
        return found

    def close(self) -> None:
        """End the child and all that it has started: its stdin first, then a kill. What they held is free afterwards."""
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        try:
            self.process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        end_group(self.process.pid)

    def obituary(self) -> str:
        """How a child that has closed its stdout ended, and the end of its log: for an error message."""
        try:
            code = self.process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            return "It closed its output and hangs."
        end = f"ended by {_signal_name(-code)}" if code < 0 else f"exit status {code}"
        try:
            words = self.log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:].strip()
        except OSError:
            words = ""
        return f"{end}; its last words: {words}" if words else f"{end}, without a word"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def process_start(pid: int) -> float | None:
    """When a process was started (seconds since the epoch), or None where it is gone. Tells a reused pid apart."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def end_process(pid: int, started: float) -> bool:
    """Kill a process if it is still the very one that was started then. Returns whether it was there."""
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - started) > 0.05:
            return False
        process.kill()
        process.wait(CLOSE_S)
    except (psutil.NoSuchProcess, psutil.TimeoutExpired):
        return False
    end_group(pid)
    return True


def end_group(group: int) -> None:
    """Wait until the processes that an ended child has left in its group have ended too; kill those that do not."""
    deadline = time.monotonic() + CLOSE_S
    while left := _alive(group):
        if time.monotonic() > deadline:
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        time.sleep(0.05)


def _alive(group: int) -> list[psutil.Process]:
    """The processes of a group that are more than zombies, which a container's first process may never collect."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # nobody, or the number is another user's by now
        return []
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
