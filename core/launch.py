"""Starting and stopping the runner: detached, proven alive before we return, brought back when it is killed."""

from __future__ import annotations

import argparse
import logging
import os
import select
import subprocess
import sys
import time
from pathlib import Path

from core.errors import LrmError, RunnerError
from core.store.connection import connect, runner_lock, translated, work_folder
from core.store.locks import try_lock
from core.store.snapshot import RunnerRow, runner

HANDSHAKE_S = 60.0
STOP_S = 30.0
RESTART_S = 1.0
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
    held = try_lock(runner_lock(path)) if os.access(path.parent, os.W_OK) else None
    if held is not None:
        os.close(held)
        return RunnerRow(False, row.pid, row.beat)
    return row


def ensure_runner(path: Path) -> int:
    """Start the runner unless one serves already; returns its supervisor's or its own pid.

    Returns only when the runner is proven alive. Raises RunnerError with the child's own words where it is not.
    """
    present = status(path)
    if present.alive and present.pid:
        return present.pid
    folder = work_folder(path)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = folder / "runner.log"
    reading, writing = os.pipe()
    with log.open("ab") as output, os.fdopen(reading, "r", encoding="utf-8") as answers:
        command = [sys.executable, "-P", "-m", "core.launch", str(path), "--handshake", str(writing)]
        child = subprocess.Popen(
            command,
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
    raise RunnerError(f"The runner did not start: {answer or 'it died at once'}", f"See {log}.")


def stop_runner(path: Path) -> bool:
    """Ask the runner to stop and wait until it has. Returns whether one was there."""
    if not status(path).alive:
        return False
    connection = connect(path, "user")
    with translated(path):
        connection.execute("UPDATE runner SET wanted = 'stop'")
    connection.close()
    deadline = time.monotonic() + STOP_S
    while time.monotonic() < deadline:
        if not status(path).alive:
            return True
        time.sleep(0.1)
    raise RunnerError(f"The runner of {path} does not stop.", "`lrm-tui runner status` names its process.")


def _say(handshake: int | None, text: str) -> None:
    if handshake is not None:
        with os.fdopen(handshake, "w", encoding="utf-8") as pipe:
            pipe.write(text + "\n")


def _serve(path: Path, handshake: int | None) -> int:
    from core.runner import Runner

    try:
        served = Runner(path)
    except LrmError as error:
        _say(handshake, str(error))
        return 3
    _say(handshake, READY)
    served.serve()
    return 0


def _supervise(path: Path, handshake: int | None) -> int:
    """Run the runner in a child and start it again when it was killed, so that a night is not lost."""
    first = True
    while True:
        command = [sys.executable, "-P", "-m", "core.launch", str(path), "--worker"]
        passed = (handshake,) if first and handshake is not None else ()
        if passed:
            command += ["--handshake", str(handshake)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=passed)
        if passed and handshake is not None:
            os.close(handshake)
        code = process.wait()
        if code >= 0:
            return code
        logging.getLogger("lrm.supervisor").warning("the runner was killed by signal %d; starting it again", -code)
        first = False
        time.sleep(RESTART_S)


def main() -> int:
    """Entry of the detached process: supervisor by default, the runner itself with --worker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("store", type=Path)
    parser.add_argument("--handshake", type=int)
    parser.add_argument("--worker", action="store_true")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    os.umask(0o077)
    return (_serve if given.worker else _supervise)(given.store, given.handshake)


if __name__ == "__main__":
    sys.exit(main())
