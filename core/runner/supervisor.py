"""The supervisor restarts a runner that was killed, so that no night is lost while nobody watches.

There is one for each store. It ends when the runner ends normally (asked to stop, or out of work) or is refused by the store.
Any other end is followed by a restart: at once at first, then with growing delays while runners die without progress, and a
notice in the store. A runner whose supervisor was killed starts a new one, which adopts it.
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
from core.files.locks import held, patient_lock
from core.files.logs import last_words
from core.runner.processes import wait_until_gone
from core.store.connection import opened, work_folder

SOON_S = 0.5
LATEST_S = 300.0
FREE_DEATHS = 5
LIVED_S = 60.0
POLL_S = 0.2
REFUSED = 3
_LAST_BYTES = 400

log = logging.getLogger("lrm.supervisor")


def command(path: Path, *arguments: str) -> list[str]:
    """The command line of a supervisor, or of a runner with `--serve`."""
    return [sys.executable, "-P", "-m", "core.runner", str(path), *arguments]


def is_supervised(path: Path) -> bool:
    """Whether a supervisor looks after the store, be its runner alive or about to be brought back."""
    return path.exists() and os.access(path.parent, os.W_OK) and held(_lock_file(path))


def wake(path: Path) -> None:
    """End the supervisor's wait before its next try."""
    with suppress(OSError):
        _wake_file(path).touch(0o600)


def watch_supervisor(path: Path, supervisor: int) -> None:
    """Start another supervisor whenever the present one has ended; for a thread of the runner, which ends with it."""
    wait_until_gone(supervisor)
    while True:
        log.warning("the supervisor was killed; starting another")
        adopter = subprocess.Popen(command(path, "--adopt", str(os.getpid())), stdin=subprocess.DEVNULL, start_new_session=True)
        adopter.wait()
        time.sleep(SOON_S)


class Backoff:
    """Backoff: short until `FREE_DEATHS` runners in a row made no progress, then exponential up to `LATEST_S`."""

    def __init__(self) -> None:
        self.failures = 0

    def after(self, lived_s: float, progressed: bool) -> float:
        """Seconds to wait after a death."""
        self.failures = 0 if progressed or lived_s >= LIVED_S else self.failures + 1
        beyond = self.failures - FREE_DEATHS
        return SOON_S if beyond <= 0 else float(min(2.0**beyond, LATEST_S))


class Supervisor:
    """See the module."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lock = patient_lock(_lock_file(path))
        self._backoff = Backoff()
        self._runner = 0
        self._asked = False

    def run(self, handshake: int | None, adopted: int | None) -> int:
        """Look after runners until one ends in order. Returns the exit code."""
        if self.lock is None:
            return REFUSED
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)
        while True:
            began, before = time.monotonic(), self._progress()
            end = self._adopt(adopted) if adopted else self._start(handshake)
            adopted = handshake = None
            if end is None or self._over():
                return 0
            lived, after = time.monotonic() - began, self._progress()
            pause = self._backoff.after(lived, any(now > then for now, then in zip(after, before, strict=True)))
            self._report(end, pause)
            if not self._wait(pause):
                return 0

    def _pass_on(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
        if self._runner:
            with suppress(ProcessLookupError):
                os.kill(self._runner, signal.SIGTERM)

    def _start(self, handshake: int | None) -> str | None:
        """Run a runner to its end. Returns how it died, or None where it ended in order or was refused."""
        arguments = ["--serve", "--supervisor", str(os.getpid())]
        passed = () if handshake is None else (handshake,)
        if handshake is not None:
            arguments += ["--handshake", str(handshake)]
        process = subprocess.Popen(command(self._path, *arguments), stdin=subprocess.DEVNULL, pass_fds=passed)
        if handshake is not None:
            os.close(handshake)
        self._runner = process.pid
        code = process.wait()
        self._runner = 0
        if code in (0, REFUSED):
            return None
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"failed with exit status {code}"

    def _adopt(self, runner: int) -> str | None:
        """Wait for the end of a runner that is not our child: only the store tells whether it ended in order."""
        self._runner = runner
        wait_until_gone(runner)
        self._runner = 0
        row = self._row()
        return None if row is None or row[0] == "stopped" else "was killed"

    def _over(self) -> bool:
        row = self._row()
        return self._asked or row is None or row[1] == "stop"

    def _row(self) -> tuple[str, str | None] | None:
        """State and request (`wanted`) in the runner's row; None where the store is gone, no request where it is unreadable."""
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

    def _report(self, end: str, pause: float) -> None:
        if self._backoff.failures <= FREE_DEATHS:
            message, remedy = f"The runner {end}; it is started again.", ""
        else:
            message = (
                f"The runner {end}: {self._backoff.failures} deaths in a row without progress. The next try comes "
                f"in {pause:.0f} s. Its log ends: {self._last_words()}"
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

    def _last_words(self) -> str:
        words = last_words(work_folder(self._path) / "runner.log", _LAST_BYTES)
        return words.splitlines()[-1] if words else ""

    def _wait(self, pause: float) -> bool:
        """Wait before the next try. Returns False where nobody wants it any more."""
        _wake_file(self._path).unlink(missing_ok=True)
        until = time.monotonic() + pause
        while time.monotonic() < until and not _wake_file(self._path).exists():
            time.sleep(POLL_S)
            if self._over():
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
