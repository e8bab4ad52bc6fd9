"""runner status, start, stop."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from core.cli.common import print_json, store
from core.runner.client import ensure_runner, status, stop_runner
from core.store.connection import connect


def runner(given: Namespace) -> int:
    """Look after the background process of the store. `status` exits with 1 where none serves."""
    path = store(given)
    if given.action == "start":
        connect(path, "user").close()
        ensure_runner(path)
    elif given.action == "stop":
        stop_runner(path)
    row = status(path)
    if given.json:
        print_json({"store": str(path), **asdict(row)})
    else:
        print(f"{path}: " + (f"runner {row.pid} serves" if row.alive else "no runner"))
    return 0 if row.alive or given.action == "stop" else 1
