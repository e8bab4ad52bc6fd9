"""The checks of doctor on the runner of a store: whether it serves, its child processes, and its recent notices."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from core.cli.doctor.finding import Finding
from core.files.locks import is_locked
from core.files.logs import last_words
from core.runner.client import status
from core.runner.processes import marked, owner
from core.runner.supervisor import is_supervised
from core.store.connection import opened, runner_lock, work_folder, writable
from core.store.snapshot import RunnerRow
from core.store.wal import size

RECENT_S = 3600.0
WAITS_S = 10.0  # a runner that waits for its store says so every two seconds
ROOM_BYTES = 2**20
_LAST_BYTES = 400


def runner_checks(path: Path) -> Iterator[Finding]:
    """Checks of the runner, its supervisor, its engines, and the ports on which they listen."""
    if not writable(path):
        return
    row, supervised, lock = status(path), is_supervised(path), runner_lock(path)
    children = marked(owner(lock)) if lock.exists() else []
    waiting = _count(path, "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')")
    start = "`lrm-tui runner start` starts it."
    if row.alive:
        remedy = "A runner starts its supervisor again by itself; see runner.log."
        detail = f"{row.pid} serves" + (", and its supervisor brings it back should it be killed" if supervised else "")
        yield Finding(
            "runner", supervised, detail if supervised else f"{detail}, but nobody would bring it back", remedy, False
        )
    elif is_locked(lock):
        yield _silent(path, row)
    elif supervised:
        remedy = f"{start} at once; {work_folder(path) / 'runner.log'} says why."
        yield Finding("runner", False, "it died, and its supervisor waits before the next try", remedy)
    elif waiting:
        yield Finding("runner", False, f"none serves, and {waiting} jobs wait", start)
    else:
        yield Finding("runner", True, "none serves, and nothing waits")
    if children and not row.alive and not is_locked(lock):
        numbers = ", ".join(map(str, children))
        yield Finding("engines", False, f"left by a killed runner: {numbers}", f"{start} It ends them first.")
    else:
        yield Finding("engines", True, f"{len(children)} processes at work" if children else "none left behind")
    yield _listening([*children, *([row.pid] if row.alive and row.pid else [])])


def _silent(path: Path, row: RunnerRow) -> Finding:
    """A runner that lives and does not write: it waits for the store, which its log then repeats, or it hangs."""
    log = work_folder(path) / "runner.log"
    detail = f"{row.pid} holds the store and has been silent for {time.time() - (row.beat or 0):.0f} s"
    if shutil.disk_usage(path.parent).free < ROOM_BYTES:
        return Finding("runner", False, f"{detail}: the disk is full", "Free some space; it goes on by itself.")
    if size(log) and time.time() - log.stat().st_mtime < WAITS_S and (log_end := last_words(log, _LAST_BYTES)):
        return Finding(
            "runner", False, f"{detail}; it says: {log_end.splitlines()[-1]}", "It goes on by itself once that is mended."
        )
    remedy = f"It is stopped or hangs: continue it (kill -CONT {row.pid}) or end it (kill -KILL {row.pid})."
    return Finding("runner", False, detail, remedy)


def _listening(pids: list[int]) -> Finding:
    """Whether one of the processes accepts connections from other machines."""
    addresses = []
    for pid in pids:
        with suppress(psutil.Error):
            for connection in psutil.Process(pid).net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    addresses.append(f"{connection.laddr.ip}:{connection.laddr.port} ({pid})")
    outside = [address for address in addresses if not address.startswith(("127.", "::1", "::ffff:127."))]
    detail = f"at {', '.join(addresses)}" if addresses else "at no address"
    return Finding("listening", not outside, detail, "Only loopback is expected: end the process, and report this.")


def recent_notices(path: Path) -> Iterator[Finding]:
    """The runner's latest warnings and errors within an hour: silent or dead engines, full disks, long logs."""
    since = time.time() - RECENT_S
    with opened(path, "reader") as connection:
        rows = connection.execute(
            "SELECT message, remedy FROM notices WHERE level != 'info' AND at > ? ORDER BY id DESC LIMIT 3", (since,)
        ).fetchall()
    for row in rows:
        yield Finding("told", False, row["message"], row["remedy"], needed=False)


def _count(path: Path, sql: str) -> int:
    with opened(path, "reader") as connection:
        return int(connection.execute(sql).fetchone()[0])
