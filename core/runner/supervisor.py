"""The supervisor restarts a runner that was killed, so that the queue goes on while nobody watches.

There is one for each store. It ends when the runner ends normally (told to stop, or idle for long) or cannot use the store.
After any other end it restarts the runner and writes a notice: at once at first, with growing delays while runners die without
progress. A runner whose supervisor was killed starts a new one, which adopts it.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

from core.errors import LrmError
from core.files.locks import is_locked, lock_with_retries
from core.files.logs import last_words
from core.runner.processes import wait_until_gone
from core.store.connection import opened, work_folder

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 300.0
QUICK_RESTARTS = 5  # deaths in a row without progress, before delays grow
HEALTHY_S = 60.0  # a runner that lived so long counts as progress
POLL_S = 0.2
REFUSED = 3
"""Exit status of a supervisor or runner that could not take over the store, which another restart would not change."""
_LAST_BYTES = 400

log = logging.getLogger("lrm.supervisor")


def command(path: Path, *arguments: str) -> list[str]:
    """The command line of a supervisor, or of a runner with `--serve`."""
    return [sys.executable, "-P", "-m", "core.runner", str(path), *arguments]


def is_supervised(path: Path) -> bool:
    """Whether the store has a supervisor, whether its runner is alive or about to be restarted."""
    return path.exists() and os.access(path.parent, os.W_OK) and is_locked(_lock_file(path))


def wake(path: Path) -> None:
    """Make the supervisor restart the runner now instead of after its delay."""
    with suppress(OSError):
        _wake_file(path).touch(0o600)


def watch_supervisor(path: Path, supervisor: int) -> None:
    """Start another supervisor whenever the present one has ended; runs in a daemon thread of the runner."""
    wait_until_gone(supervisor)
    while True:
        log.warning("the supervisor was killed; starting another")
        adopter = subprocess.Popen(command(path, "--adopt", str(os.getpid())), stdin=subprocess.DEVNULL, start_new_session=True)
        adopter.wait()
        time.sleep(FIRST_DELAY_S)


class Backoff:
    """The delay before a restart: short for `QUICK_RESTARTS` deaths in a row without progress, then exponential."""

    def __init__(self) -> None:
        self.failures = 0

    def after(self, lived_s: float, progressed: bool) -> float:
        """Seconds to wait after the death of a runner that lived `lived_s` seconds."""
        self.failures = 0 if progressed or lived_s >= HEALTHY_S else self.failures + 1
        excess = self.failures - QUICK_RESTARTS
        return FIRST_DELAY_S if excess <= 0 else float(min(2.0**excess, LONGEST_DELAY_S))


class Supervisor:
    """Starts or adopts the runner of a store, and restarts it; `lock` is None where the store has a supervisor already."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lock = lock_with_retries(_lock_file(path))
        self._backoff = Backoff()
        self._runner = 0
        self._stop_requested = False

    def run(self, handshake: int | None, adopted: int | None) -> int:
        """Run runners until one ends normally. Returns the exit code.

        `handshake`: the pipe on which the first runner reports that it serves; `adopted`: the pid of a serving runner.
        """
        if self.lock is None:
            return REFUSED
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        while True:
            started, before = time.monotonic(), self._progress()
            end = self._adopt(adopted) if adopted else self._start(handshake)
            adopted = handshake = None
            if end is None or self._should_end():
                return 0
            lived, after = time.monotonic() - started, self._progress()
            progressed = any(count > earlier for count, earlier in zip(after, before, strict=True))
            delay = self._backoff.after(lived, progressed)
            self._report(end, delay)
            if not self._wait(delay):
                return 0

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_requested = True
        if self._runner:
            with suppress(ProcessLookupError):
                os.kill(self._runner, signal.SIGTERM)

    def _start(self, handshake: int | None) -> str | None:
        """Run a runner to its end. Returns how it died, or None where it ended normally or could not use the store."""
        arguments = ["--serve", "--supervisor", str(os.getpid())]
        pipes = () if handshake is None else (handshake,)
        if handshake is not None:
            arguments += ["--handshake", str(handshake)]
        process = subprocess.Popen(command(self._path, *arguments), stdin=subprocess.DEVNULL, pass_fds=pipes)
        if handshake is not None:
            os.close(handshake)
        self._runner = process.pid
        code = process.wait()
        self._runner = 0
        if code in (0, REFUSED):
            return None
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"failed with exit status {code}"

    def _adopt(self, runner: int) -> str | None:
        """Wait for the end of a runner that is no child of this process: only the store tells whether it ended normally."""
        self._runner = runner
        wait_until_gone(runner)
        self._runner = 0
        row = self._row()
        return None if row is None or row[0] == "stopped" else "was killed"

    def _should_end(self) -> bool:
        row = self._row()
        return self._stop_requested or row is None or row[1] == "stop"

    def _row(self) -> tuple[str, str | None] | None:
        """State and request (column `wanted`) of the runner's row; None if the store is gone, no request if unreadable."""
        try:
            with opened(self._path, "reader") as connection:
                row = connection.execute("SELECT state, wanted FROM runner").fetchone()
                return row["state"], row["wanted"]
        except FileNotFoundError:
            return None
        except LrmError:
            return "serving", None

    def _progress(self) -> tuple[int, ...]:
        """Counts that grow with any progress: finished responses, finished jobs, stored chunks."""
        try:
            with opened(self._path, "reader") as connection:
                return tuple(connection.execute(_PROGRESS).fetchone())
        except (FileNotFoundError, LrmError):
            return (0, 0, 0)

    def _report(self, end: str, delay: float) -> None:
        if self._backoff.failures <= QUICK_RESTARTS:
            message, remedy = f"The runner {end}; it is started again.", ""
        else:
            message = (
                f"The runner {end}: {self._backoff.failures} deaths in a row without progress. The next try comes "
                f"in {delay:.0f} s. Its log ends: {self._last_line()}"
            )
            remedy = "See runner.log beside the store; `lrm-tui runner start` tries at once, `lrm-tui runner stop` gives up."
        log.warning("%s %s", message, remedy)
        try:
            with opened(self._path, "user") as connection:
                connection.execute(
                    "INSERT INTO notices (at, level, message, remedy) VALUES (?, 'warning', ?, ?)",
                    (time.time(), message, remedy),
                )
        except LrmError as error:
            log.warning("%s", error)

    def _last_line(self) -> str:
        text = last_words(work_folder(self._path) / "runner.log", _LAST_BYTES)
        return text.splitlines()[-1] if text else ""

    def _wait(self, delay: float) -> bool:
        """Wait before the restart. Returns False if it is not needed any more."""
        _wake_file(self._path).unlink(missing_ok=True)
        deadline = time.monotonic() + delay
        while time.monotonic() < deadline and not _wake_file(self._path).exists():
            time.sleep(POLL_S)
            if self._should_end():
                return False
        return True


def _lock_file(path: Path) -> Path:
    return work_folder(path) / "supervisor.lock"


def _wake_file(path: Path) -> Path:
    return work_folder(path) / "supervisor.wake"


_PROGRESS = """
SELECT (SELECT count(*) FROM responses WHERE state = 'done'), (SELECT count(*) FROM jobs WHERE state = 'done'),
       (SELECT count(*) FROM chunks)
"""
