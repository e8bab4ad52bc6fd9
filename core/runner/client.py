"""Starting and stopping the runner: detached, proven alive before we return, looked after by `core.runner.supervisor`."""

from __future__ import annotations

import os
import select
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from core.errors import RunnerError, StoreBusy
from core.files import address_space
from core.files.locks import is_locked
from core.files.logs import limit
from core.files.private import open_private, private_folder
from core.runner.processes import process_start
from core.runner.supervisor import command, is_supervised, wake
from core.store.connection import opened, runner_lock, work_folder
from core.store.identity import noted
from core.store.snapshot import RunnerRow, runner

HANDSHAKE_S = 60.0
STOP_S = 30.0
REPEAT_S = 2.0
POLL_S = 0.1
READY = "ready"


def status(path: Path) -> RunnerRow:
    """Whether a runner serves the store."""
    if not path.exists():
        return RunnerRow(False, None, None)
    with opened(path, "reader") as connection:
        row = runner(connection)
    if os.access(path.parent, os.W_OK) and not is_locked(runner_lock(path)):
        return RunnerRow(False, row.pid, row.beat)
    note = noted(runner_lock(path))
    if note is not None and note[1] != row.pid:  # the row came with a copy: the runner that has the lock is not in it yet
        return RunnerRow(False, None, row.beat)
    return row


def ensure_runner(path: Path) -> int:
    """Start the runner unless one serves already; returns its pid, or its supervisor's if that was started here.

    Returns only when the runner is proven alive. Raises RunnerError with the child's error message where it is not.
    """
    address_space.check()
    deadline = time.monotonic() + HANDSHAKE_S
    first = present = status(path)
    # A runner that comes after a killed one holds the lock before its number is in the store.
    while not ((pid := _serving(present)) and (process_start(pid) or present.beat != first.beat)):
        if not is_supervised(path):
            return _start(path)
        wake(path)
        if time.monotonic() > deadline:
            raise RunnerError("The runner does not come back.", f"See {_log_file(path)}.")
        time.sleep(POLL_S)
        present = status(path)
    return pid


def _serving(row: RunnerRow) -> int:
    """The pid of a runner that serves; 0 where none does, or one that is about to end and starts nothing any more."""
    return row.pid or 0 if row.alive and not row.stopping else 0


def _start(path: Path) -> int:
    private_folder(work_folder(path))
    limit(_log_file(path))
    reading, writing = os.pipe()
    with open_private(_log_file(path), append=True) as output, os.fdopen(reading, "r", encoding="utf-8") as answers:
        child = subprocess.Popen(
            command(path.absolute(), "--handshake", str(writing)),  # the runner's working folder is /
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(writing,),
            start_new_session=True,
            cwd="/",
        )
        os.close(writing)
        ready, _, _ = select.select([answers], [], [], HANDSHAKE_S)
        answer = answers.readline().strip() if ready else f"no answer within {HANDSHAKE_S:.0f} s"
    if answer.startswith(READY):
        return child.pid
    current = status(path)
    if current.alive and current.pid:  # two starters at once: the other one won
        return current.pid
    if not answer and is_supervised(path):
        return ensure_runner(path)
    raise RunnerError(f"The runner did not start: {answer or 'it died at once'}", f"See {_log_file(path)}.")


def _log_file(path: Path) -> Path:
    return work_folder(path) / "runner.log"


def stop_runner(path: Path) -> bool:
    """Ask the runner to stop, or its supervisor to give up, and wait for both. Returns whether one was there.

    Raises RunnerError where it still runs after `STOP_S` seconds.
    """
    if not _is_served(path):
        return False
    deadline = time.monotonic() + STOP_S
    while time.monotonic() < deadline:
        with suppress(StoreBusy), opened(path, "user") as connection:
            connection.execute("UPDATE runner SET wanted = 'stop'")  # repeated, since a new runner clears the request
        requested = time.monotonic()
        while time.monotonic() < requested + REPEAT_S:
            if not _is_served(path):
                return True
            time.sleep(POLL_S)
    raise RunnerError(f"The runner of {path} does not stop.", "`lrm-tui runner status` names its process.")


def _is_served(path: Path) -> bool:
    return status(path).alive or is_supervised(path)
