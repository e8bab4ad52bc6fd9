"""Starting and stopping the runner: detached, proven alive before we return, looked after by `core.supervisor`."""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import select
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

from core.errors import LrmError, RunnerError, StoreBusy
from core.files import open_private, private_folder
from core.logs import limit, log_cleanly
from core.processes import process_start
from core.store.connection import connect, runner_lock, translated, work_folder
from core.store.locks import held
from core.store.snapshot import RunnerRow, runner
from core.supervisor import REFUSED, Supervisor, command, is_supervised, wake, watch_supervisor

HANDSHAKE_S = 60.0
STOP_S = 30.0
ASK_AGAIN_S = 2.0
POLL_S = 0.1
READY = "ready"


def status(path: Path) -> RunnerRow:
    """Whether a runner serves the store."""
    if not path.exists():
        return RunnerRow(False, None, None)
    connection = connect(path, "reader")
    try:
        with translated(path):
            row = runner(connection)
    finally:
        connection.close()
    if os.access(path.parent, os.W_OK) and not held(runner_lock(path)):
        return RunnerRow(False, row.pid, row.beat)
    return row


def ensure_runner(path: Path) -> int:
    """Start the runner unless one serves already; returns its pid, or its supervisor's if that was started here.

    Returns only when the runner is proven alive. Raises RunnerError with the child's own words where it is not.
    """
    deadline = time.monotonic() + HANDSHAKE_S
    first = present = status(path)
    # A runner that comes after a killed one holds the lock before its number is in the store.
    while not (present.alive and present.pid and (process_start(present.pid) or present.beat != first.beat)):
        if not is_supervised(path):
            return _start(path)
        wake(path)
        if time.monotonic() > deadline:
            raise RunnerError("The runner does not come back.", f"See {_log_file(path)}.")
        time.sleep(POLL_S)
        present = status(path)
    return present.pid


def _start(path: Path) -> int:
    private_folder(work_folder(path))
    limit(_log_file(path))
    reading, writing = os.pipe()
    with open_private(_log_file(path), append=True) as output, os.fdopen(reading, "r", encoding="utf-8") as answers:
        child = subprocess.Popen(
            command(path.absolute(), "--handshake", str(writing)),  # the runner stands in /
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
    again = status(path)
    if again.alive and again.pid:  # two starters at once: the other one won
        return again.pid
    if not answer and is_supervised(path):
        return ensure_runner(path)
    raise RunnerError(f"The runner did not start: {answer or 'it died at once'}", f"See {_log_file(path)}.")


def _log_file(path: Path) -> Path:
    return work_folder(path) / "runner.log"


def stop_runner(path: Path) -> bool:
    """Ask the runner to stop, or its supervisor to give up, and wait until both have. Returns whether one was there."""
    if not _served(path):
        return False
    deadline = time.monotonic() + STOP_S
    while time.monotonic() < deadline:
        with suppress(StoreBusy), closing(connect(path, "user")) as connection, translated(path):
            connection.execute("UPDATE runner SET wanted = 'stop'")  # again: a new runner starts without wishes
        asked = time.monotonic()
        while time.monotonic() < asked + ASK_AGAIN_S:
            if not _served(path):
                return True
            time.sleep(POLL_S)
    raise RunnerError(f"The runner of {path} does not stop.", "`lrm-tui runner status` names its process.")


def _served(path: Path) -> bool:
    return status(path).alive or is_supervised(path)


def _say(handshake: int | None, text: str) -> None:
    if handshake is not None:
        with os.fdopen(handshake, "w", encoding="utf-8") as pipe:
            pipe.write(text + "\n")


def _serve(path: Path, handshake: int | None, supervisor: int | None) -> int:
    from core.runner import Runner

    try:
        served = Runner(path)
    except LrmError as error:
        _say(handshake, str(error))
        logging.getLogger("lrm.runner").warning("%s", error)
        return REFUSED
    _say(handshake, READY)
    if supervisor is not None:
        threading.Thread(target=watch_supervisor, args=(path, supervisor), daemon=True).start()
    served.serve()
    return 0


def main() -> int:
    """Entry of the detached process: supervisor by default, the runner itself with --worker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("store", type=Path)
    parser.add_argument("--handshake", type=int)
    parser.add_argument("--worker", action="store_true")
    parser.add_argument("--supervisor", type=int, help="the process that looks after this runner")
    parser.add_argument("--adopt", type=int, help="a runner to look after that serves already")
    given = parser.parse_args()
    log_cleanly()
    faulthandler.enable()
    os.umask(0o077)
    try:
        if given.worker:
            return _serve(given.store, given.handshake, given.supervisor)
        return Supervisor(given.store).run(given.handshake, given.adopt)
    except Exception:
        logging.getLogger("lrm.launch").exception("a defect")
        return 1


if __name__ == "__main__":
    sys.exit(main())
