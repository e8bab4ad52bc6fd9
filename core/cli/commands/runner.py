"""runner: look after the background process of the store."""

from __future__ import annotations

from dataclasses import asdict

import click

from core.cli.call import Call
from core.cli.grammar import QUEUE, argument, command, printing

ACTIONS = click.Choice(("status", "start", "stop"))


@command(QUEUE, "lrm-tui runner status", order=10)
@printing
@argument("action", None, "ask whether one serves, start it, or stop it", type=ACTIONS)
def runner(call: Call, action: str) -> int:
    """The background process that does the work."""
    from core.cli.output import print_json
    from core.runner.client import ensure_runner, status, stop_runner

    path = call.store
    if action == "start":
        with call.writing():  # makes a store that is missing
            pass
        ensure_runner(path)
    elif action == "stop":
        stop_runner(path)
    row = status(path)
    if call.json:
        print_json({"store": str(path), **asdict(row)})
    else:
        print(f"{path}: " + (f"runner {row.pid} serves" if row.alive else "no runner"))
    return 0 if row.alive or action == "stop" else 1
