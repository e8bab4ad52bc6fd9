"""Which file a store is, whatever its name: one runner and one write-ahead log for one file.

SQLite finds the log by the name of the file, so a file of two names could get two logs and lose what one of them holds.
A runner therefore locks the file itself besides the lock of its name, notes the file in that lock, and the name used last is
an attribute of the file. SQLite's own locks are lost when any descriptor of the file is closed: those opened here stay open.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from core.errors import RunnerRunning, StoreBusy, StoreError
from core.files.locks import is_locked

ATTRIBUTE = "user.lrm-tui.name"
LEAVE_S = 20.0
SEVERAL_S = 1.0  # a file of several names does not become free by waiting
POLL_S = 0.05
HOLD_TRIES = 10

FileId = tuple[int, int]

_descriptors: dict[FileId, int] = {}
"""A descriptor for each file that was looked at, never closed."""


def file_id(path: Path) -> FileId | None:
    """Device and inode of the file at a path; (0, 0) where there is none, None where the system does not answer."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def hold(path: Path) -> int:
    """Lock the file of a store for the life of this process; call it before SQLite opens the file. Raises RunnerRunning."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    for _ in range(HOLD_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        time.sleep(POLL_S)
    raise RunnerRunning(f"The file of {path} is served under another name.", _advice())


def note_file(lock: int, path: Path) -> None:
    """Note in the acquired lock of a name which file its runner serves."""
    device, inode = file_id(path) or (0, 0)
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{device} {inode} {os.getpid()}".encode(), 0)


def noted(lock: Path) -> tuple[FileId, int] | None:
    """The file that the last runner under a name served, and the runner's pid; None where none noted it."""
    try:
        device, inode, pid = map(int, lock.read_text().split())
    except (OSError, ValueError):
        return None
    return (device, inode), pid


def refuse_second_name(path: Path) -> None:
    """Raise StoreError where another name of the same file has a log, which holds what this name would not see."""
    try:
        other = Path(os.fsdecode(os.getxattr(path, ATTRIBUTE)))
        ours = path.resolve()
        if other == ours or not other.samefile(ours) or not Path(f"{other}-wal").exists():
            return
        if Path(f"{ours}-wal").exists() and Path(f"{ours}-wal").samefile(f"{other}-wal"):
            return
    except OSError:
        return
    raise StoreError(f"{path} is another name of {other}, whose log is in use.", _advice(other))


def note_name(path: Path) -> None:
    """Record the name that is used last with the file; file systems without attributes keep none."""
    name = os.fsencode(path.resolve())
    with suppress(OSError):
        try:
            if os.getxattr(path, ATTRIBUTE) == name:
                return
        except OSError:
            pass
        os.setxattr(path, ATTRIBUTE, name)


def wait_for_moved(path: Path, lock: Path) -> None:
    """Wait until a runner that serves another file than the one at `path`, or this one by another name, has left.

    A runner whose file was moved leaves within seconds. Raises StoreBusy where it does not,
    StoreError where the file has several names.
    """
    several = path.exists() and path.stat().st_nlink > 1
    deadline = time.monotonic() + (SEVERAL_S if several else LEAVE_S)
    while _other_file_is_served(path, lock) or _other_name_is_served(path, lock):
        if time.monotonic() > deadline:
            if several:
                raise StoreError(f"The file of {path} is served under another name.", _advice())
            raise StoreBusy(f"A runner still holds the file that was at {path}.", "Try again in a moment.")
        time.sleep(POLL_S)


def set_aside(path: Path) -> None:
    """Rename the log of a file that is no longer at `path`, so that a new store there does not take it for its own."""
    log = Path(f"{path}-wal")
    if log.exists() and not path.exists():
        log.rename(f"{log}.{time.time_ns()}")
    if not path.exists():
        Path(f"{path}-shm").unlink(missing_ok=True)


def _other_file_is_served(path: Path, lock: Path) -> bool:
    note, present = noted(lock), file_id(path)
    return note is not None and present is not None and note[0] != present and is_locked(lock)


def _other_name_is_served(path: Path, lock: Path) -> bool:
    if not _is_held(path):
        return False
    note = noted(lock)
    return note is None or note[0] != file_id(path) or not is_locked(lock)


def _is_held(path: Path) -> bool:
    """Whether a runner has locked the file itself."""
    this = file_id(path)
    if this is None or this == (0, 0):
        return False
    try:
        if this not in _descriptors:
            _descriptors[this] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(_descriptors[this], fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    fcntl.flock(_descriptors[this], fcntl.LOCK_UN)
    return False


def _advice(other: Path | None = None) -> str:
    name = str(other) if other else "the name under which it is served"
    return f"Use {name}, or stop its runner first; `lrm-tui backup` makes a copy that is a file of its own."
