"""Known faults planted again: each takes one mend out of the real code, and the simulator must find it."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

from core.engines.host import wire
from core.engines.openai.reading import Reply
from core.runner import processes
from core.store.inputs import Kept
from core.store.runner_store import RunnerStore


def _log_stays_beside(_store: RunnerStore) -> None:
    """Nothing is merged into the file while nothing runs."""


def _lock_of_no_file(path: Path) -> int:
    """The runner locks its name alone."""
    return os.open(path, os.O_RDONLY)


def _end_all_listed(prefix: str, listed: Sequence[tuple[int, float]]) -> list[int]:
    """Whatever the store lists is taken for this runner's own."""
    return [*processes.end_marked(prefix), *(pid for pid, started in listed if processes.end_process(pid, started))]


def _read_unchecked(reply: Reply, events: list[bytes]) -> tuple[str, int]:
    """What a server sent is handed on as it is."""
    sent = json.loads(events[0])
    reply.usage = {name: int(count) for name, count in sent.get("usage", {}).items()}
    reply.reason = "stop"
    text: str = sent["choices"][0]["delta"]["content"]
    return text, 1


def _nothing_kept(_connection: sqlite3.Connection, _run: int) -> Kept:
    """Each attempt of a run is planned from the files of that moment."""
    return Kept(False, False, None, None)


def _nothing(*_: object) -> None:
    """Nothing is refused."""


PLANTS: dict[str, dict[str, object]] = {
    "2": {"core.store.runner_store.RunnerStore.settle": _log_stays_beside},
    "3": {"core.store.connection._refuse_other_names": _nothing, "core.runner.runner.hold": _lock_of_no_file},
    "4": {"core.runner.runner.end_left": _end_all_listed},
    "5": {"core.store.response_writes.kept": _nothing_kept},
    "8": {"core.engines.openai.reading.Reply.read": _read_unchecked},
    "8, at the runner": {"core.runner.engine_process.incoming.event": wire.decode},
}
"""By the number of the fault: names of the code, and what stands there instead."""


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """The code with this fault; as it is for None."""
    with ExitStack() as stack:
        for target, instead in PLANTS.get(name or "", {}).items():
            stack.enter_context(patch(target, instead))
        yield
