"""Finds and ends the processes that belong to a runner: all of them, and no others.

Every child of a runner leads a session of its own and carries a *run id* in its environment, which its descendants inherit. A
run id begins with the device and inode of the runner's lock: whoever holds that lock owns every process marked with it,
however many generations or sessions away. A process number alone proves nothing, since the system gives it out again; each
process is therefore held by a pidfd while it is looked at, and the signal goes to what was looked at.
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
GONE_S = 5.0
_SAME_START_S = 0.005  # half of the kernel's tick: a number can be given out again within a few of them


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

    def same() -> bool:
        now = process_start(pid)
        return now is not None and abs(now - started) <= _SAME_START_S

    return _end_if(pid, same)


def end_marked(prefix: str) -> list[int]:
    """Kill every process whose run id begins with `prefix`, but for this one and those above it. Returns their numbers."""
    return _end_all(lambda pid: _run_id(pid).startswith(prefix))


def end_session(leader: int) -> list[int]:
    """Kill what is left of the session of a child that was not reaped yet, so that its number is nobody else's."""
    return _end_all(lambda pid: _session(pid) == leader)


def marked(prefix: str) -> list[int]:
    """The processes whose run id begins with `prefix`, but for this one and those above it."""
    spared = _lineage()
    return [pid for pid in _pids() if pid not in spared and _run_id(pid).startswith(prefix)]


def exit_code(child: int, patience_s: float) -> int | None:
    """How a child of ours ended (minus the signal where it was killed), None where it runs on. It is not reaped."""
    deadline = time.monotonic() + patience_s
    while True:
        status = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        if status is not None:
            return status.si_status if status.si_code == os.CLD_EXITED else -status.si_status
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.01)


def wait_until_gone(pid: int, patience_s: float | None = None) -> bool:
    """Wait for the end of any process, a child or not. Returns False where it runs on after `patience_s`."""
    with _held(pid) as held:
        return held is None or _gone(held, patience_s)


def _end_all(matches: Callable[[int], bool]) -> list[int]:
    """Kill every matching process; repeated until there is none, because a process may start another meanwhile."""
    ended: list[int] = []
    spared = _lineage()
    while pids := [pid for pid in _pids() if pid not in spared and matches(pid)]:
        ended += [pid for pid in pids if _end_if(pid, lambda pid=pid: matches(pid))]  # type: ignore[misc]
        spared |= set(pids)
    return ended


def _end_if(pid: int, matches: Callable[[], bool]) -> bool:
    with _held(pid) as held:
        if held is None or not matches():
            return False
        try:
            signal.pidfd_send_signal(held, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return False
        _gone(held, GONE_S)
        return True


@contextmanager
def _held(pid: int) -> Iterator[int | None]:
    """A pidfd, which names this process for ever; None where there is none."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _gone(held: int, patience_s: float | None) -> bool:
    poll = select.poll()
    poll.register(held, select.POLLIN)
    return bool(poll.poll(None if patience_s is None else patience_s * 1000))


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir(PROC) if entry.isdigit()]


def _run_id(pid: int) -> str:
    """The run id in the environment with which a process was started; empty where there is none or it is hidden from us."""
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


def _lineage() -> set[int]:
    """This process and those above it."""
    return {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
