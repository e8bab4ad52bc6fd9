"""A child process that reads and writes lines: engine hosts and compression workers, as the runner sees them."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from core.files.logs import Keeper, last_words
from core.files.private import private_folder
from core.runner.processes import VARIABLE, end_marked, end_session, exit_code, process_start, run_id, wait_until_gone
from core.store.connection import runner_lock
from core.store.runner_store import RunnerStore

Message = TypeVar("Message")
CLOSE_S = 5.0
DRAIN_S = 1.0
LOG_TAIL = 400
TRIES = 3  # starts of a child that dies, before its job fails


class ChildDied(Exception):
    """A child ended without an error message of its own; its owner restarts it, up to `TRIES` times."""


class Child(Generic[Message]):
    """Starts a command in a session of its own, parses every line of its stdout in a thread, keeps its stderr in a log file.

    The child ends itself when its stdin closes, which the kernel does for it should this process be killed; `run_id` marks it
    and all that it starts. `wake` is set at every message, so that one thread can wait for several children.
    """

    def __init__(
        self,
        command: Sequence[str],
        parse: Callable[[str], Message],
        log: Path,
        environment: Mapping[str, str],
        run_id: str,
        wake: threading.Event | None = None,
    ) -> None:
        private_folder(log.parent)
        self.log = log
        self._log_keeper = Keeper(log)
        self._parse = parse
        self._run_id = run_id
        self._wake = wake or threading.Event()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment, VARIABLE: run_id, "SPT_NOENV": "1"},  # no title written over the run id
            start_new_session=True,
        )
        self.started = process_start(self.process.pid) or 0.0
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        assert self.process.stderr is not None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._keeper = threading.Thread(target=self._log_keeper.keep, args=(self.process.stderr,), daemon=True)
        for thread in (self._reader, self._keeper, threading.Thread(target=self._watch, daemon=True)):
            thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with contextlib.suppress(ValueError, RecursionError):  # a line that is no message is a library's chatter
                self._put(self._parse(line.decode("utf-8", "replace")))
        self._put(None)

    def _put(self, message: Message | None) -> None:
        self._messages.put(message)
        self._wake.set()

    def _watch(self) -> None:
        """Notice the end of the child even where something that it started holds its stdout open."""
        wait_until_gone(self.process.pid)
        self._reader.join(DRAIN_S)
        if self._reader.is_alive():
            self._put(None)

    def send(self, line: str) -> None:
        """Write one line; a child that has died is noticed by `receive`."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.process.stdin.write(line.encode("utf-8", "replace"))
            self.process.stdin.flush()

    def log_to(self, log: Path) -> None:
        """Keep what it writes on stderr from now on in another file."""
        self.log = log
        self._log_keeper.turn_to(log)

    def receive(self, timeout: float) -> list[Message | None]:
        """Messages that arrive within `timeout` seconds, all that are queued at once; None marks the end of the child."""
        messages: list[Message | None] = []
        with contextlib.suppress(queue.Empty):
            messages.append(self._messages.get(timeout > 0, timeout))
            while True:
                messages.append(self._messages.get_nowait())
        return messages

    def close(self) -> None:
        """End the child and everything that it has started: its stdin first, then a kill."""
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        if self.process.returncode is None:
            exit_code(self.process.pid, CLOSE_S)
            end_session(self.process.pid)  # with the leader, should it hang
        end_marked(self._run_id)
        with contextlib.suppress(subprocess.TimeoutExpired):  # a driver can hold even a killed process
            self.process.wait(CLOSE_S)

    def obituary(self) -> str:
        """How a child that has closed its stdout ended, and the end of its log: for an error message."""
        code = self.process.returncode
        code = exit_code(self.process.pid, CLOSE_S) if code is None else code
        if code is None:
            return "It closed its output and hangs."
        end = f"ended by {_signal_name(-code)}" if code < 0 else f"exit status {code}"
        words = self.last_words()
        return f"{end}; its last words: {words}" if words else f"{end}, without a word"

    def last_words(self) -> str:
        """The end of its log."""
        self._keeper.join(DRAIN_S)
        return last_words(self.log, LOG_TAIL)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def child_id(store: RunnerStore, job: int) -> str:
    """The run id of a child that works at a job for the runner of a store (0: at none)."""
    return run_id(runner_lock(store.path), store.token, job)
