"""The detached process: `python -m core.runner STORE`, a supervisor by default, the runner itself with --serve."""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import sys
import threading
from pathlib import Path

from core.errors import LrmError
from core.files.logs import log_cleanly
from core.runner.client import READY
from core.runner.supervisor import REFUSED, Supervisor, watch_supervisor


def _report(handshake: int | None, text: str) -> None:
    """Write one line to the process that started this one, if it waits for one."""
    if handshake is not None:
        with os.fdopen(handshake, "w", encoding="utf-8") as pipe:
            pipe.write(text + "\n")


def _serve(path: Path, handshake: int | None, supervisor: int | None) -> int:
    from core.runner.runner import Runner

    try:
        runner = Runner(path)
    except LrmError as error:
        _report(handshake, str(error))
        logging.getLogger("lrm.runner").warning("%s", error)
        return REFUSED
    _report(handshake, READY)
    if supervisor is not None:
        threading.Thread(target=watch_supervisor, args=(path, supervisor), daemon=True).start()
    runner.serve()
    if runner.store.moved():
        os._exit(0)  # closing the connection would delete a log by name, which may be a new store's by now
    if runner.log_lost:
        os._exit(1)  # the supervisor starts another, which begins a new log
    return 0


def main() -> int:
    """Entry of the detached process: supervisor by default, the runner itself with --serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("store", type=Path)
    parser.add_argument("--handshake", type=int)
    parser.add_argument("--serve", action="store_true", help="be the runner itself")
    parser.add_argument("--supervisor", type=int, help="the process that looks after this runner")
    parser.add_argument("--adopt", type=int, help="a runner to look after that serves already")
    options = parser.parse_args()
    log_cleanly()
    faulthandler.enable()
    os.umask(0o077)
    try:
        if options.serve:
            return _serve(options.store, options.handshake, options.supervisor)
        return Supervisor(options.store).run(options.handshake, options.adopt)
    except Exception:
        logging.getLogger("lrm.runner").exception("a defect")
        return 1


if __name__ == "__main__":
    sys.exit(main())
