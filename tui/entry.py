"""The command `lrm-tui`: the app without a command, everything else from core.cli."""

from __future__ import annotations

import gc
import sys
from argparse import Namespace

from core import cli
from core.cli.common import data_folder, store


def main() -> None:
    """Entry point of the console script."""
    given = cli.parse()
    if given.command is None:
        sys.exit(cli.guarded(_app, given))
    if given.command == "demo" and not given.headless:
        sys.exit(cli.guarded(_demo, given))
    sys.exit(cli.run(given))


def _app(given: Namespace) -> int:
    gc.disable()  # until the app is there: hardly anything that its start makes is garbage
    from tui.app import run
    from tui.terminal import Look

    look = Look(given.ascii, given.slow, given.mouse, given.theme)
    return run(store(given), data_folder(given), given.readonly, look)


def _demo(given: Namespace) -> int:
    from core.jobs.study import queue_demo
    from core.runner.client import ensure_runner

    queue_demo(store(given), given.limit)
    ensure_runner(store(given))
    return _app(given)


if __name__ == "__main__":
    main()
