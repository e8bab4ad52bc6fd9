"""Finds and ends the processes that belong to a runner: all of them, and no others.

Every child of a runner leads a session of its own and carries a *run id* in its environment, which its descendants inherit. A
run id begins with the device and inode of the runner's lock file: the runner that has that lock owns every process with such a
run id, in whatever generation or session. A pid alone proves nothing, since the system reuses it; each process is therefore
opened as a pidfd first, and both the checks and the signal go to that process.
"""

from __future__ import annotations

import os
import secrets
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

VARIABLE = "LRM_RUN_ID"
PROC = Path("/proc")
KILL_S = 5.0  # how long to wait for the end of a killed process
_SAME_START_S = 0.005  # half of the kernel's tick, since a pid can be reused within a few ticks


def owner(lock: Path) -> str:
    """The prefix of the run ids of all children of a store's runners."""
    status = lock.stat()
    return f"{status.st_dev:x}-{status.st_ino:x}."


def run_id(lock: Path, token: int, job: int) -> str:
    """A run id: owner, fencing token, job and a random part, so that no two children share one."""
    return f"{owner(lock)}{token}.{job}.{secrets.token_hex(4)}"


def process_start(pid: int) -> float | None:
    """When a process was started (seconds since the epoch), or None where it is gone. Tells a reused pid apart."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def end_process(pid: int, started: float) -> bool:
    """Kill a process if it is still the one started at `started` (seconds since the epoch). Returns whether it was."""

    def unchanged() -> bool:
        start = process_start(pid)
        return start is not None and abs(start - started) <= _SAME_START_S

    return _end_if(pid, unchanged)


def end_marked(prefix: str) -> list[int]:
    """Kill every process whose run id begins with `prefix`, except this one and its ancestors. Returns their pids."""
    return _end_all(lambda pid: _run_id(pid).startswith(prefix))


def end_left(prefix: str, listed: list[tuple[int, float]]) -> list[int]:
    """End what a killed runner left: all that its lock marks. `listed` (pid, start) is ended on that proof only.

    A copy of a store lists the engines of its original, which its own lock does not mark.
    """
    ended = end_marked(prefix)
    return ended + [pid for pid, started in listed if _run_id(pid).startswith(prefix) and end_process(pid, started)]


def end_session(leader: int) -> list[int]:
    """Kill the session of a child that is not reaped yet, so that its pid cannot have been reused. Returns the pids killed."""
    return _end_all(lambda pid: _session(pid) == leader)


def marked(prefix: str) -> list[int]:
    """The pids of the processes whose run id begins with `prefix`, except this one and its ancestors."""
    excluded = _self_and_ancestors()
    return [pid for pid in _pids() if pid not in excluded and _run_id(pid).startswith(prefix)]


def exit_code(child: int, patience_s: float) -> int | None:
    """The exit status of a child of this process (minus the signal if killed), None if it still runs. It is not reaped."""
    deadline = time.monotonic() + patience_s
    while True:
        status = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        if status is not None:
            return status.si_status if status.si_code == os.CLD_EXITED else -status.si_status
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.01)


def wait_until_gone(pid: int, patience_s: float | None = None) -> bool:
    """Wait for the end of any process, a child or not. Returns False if it still runs after `patience_s` seconds."""
    with _opened(pid) as pidfd:
        return pidfd is None or _has_ended(pidfd, patience_s)


def _end_all(matches: Callable[[int], bool]) -> list[int]:
    """Kill every matching process; repeated until there is none, because a process may start another meanwhile."""
    killed: list[int] = []
    excluded = _self_and_ancestors()
    while pids := [pid for pid in _pids() if pid not in excluded and matches(pid)]:
        killed += [pid for pid in pids if _end_if(pid, lambda pid=pid: matches(pid))]  # type: ignore[misc]
        excluded |= set(pids)
    return killed


def _end_if(pid: int, matches: Callable[[], bool]) -> bool:
    with _opened(pid) as pidfd:
        if pidfd is None or not matches():
            return False
        try:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return False
        _has_ended(pidfd, KILL_S)
        return True


@contextmanager
def _opened(pid: int) -> Iterator[int | None]:
    """A pidfd, which stays tied to this process when its pid is reused; None where there is no such process."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        yield None
        return
    try:
        yield pidfd
    finally:
        os.close(pidfd)


def _has_ended(pidfd: int, patience_s: float | None) -> bool:
    """Wait up to `patience_s` seconds (None: without limit) for the end of a process. Returns whether it has ended."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(None if patience_s is None else patience_s * 1000))


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir(PROC) if entry.isdigit()]


def _run_id(pid: int) -> str:
    """The run id in the environment with which a process was started; empty if it has none or may not be read."""
    with suppress(OSError):
        for entry in (PROC / str(pid) / "environ").read_bytes().split(b"\0"):
            name, _, value = entry.partition(b"=")
            if name == VARIABLE.encode():
                return value.decode(errors="replace")
    return ""


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _self_and_ancestors() -> set[int]:
    """The pids of this process and of its ancestors."""
    return {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
