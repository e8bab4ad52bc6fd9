"""File locks that the kernel releases when their holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.files.private import private_folder


def try_lock(path: Path) -> int | None:
    """An open file descriptor that holds the lock, or None where another process holds it. Close it to release."""
    private_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def patient_lock(path: Path) -> int | None:
    """`try_lock`, repeated for half a second: `held` has a lock for an instant, so that one refusal proves nothing."""
    for _ in range(10):
        lock = try_lock(path)
        if lock is not None:
            return lock
        time.sleep(0.05)
    return None


def held(path: Path) -> bool:
    """Whether another process holds the lock."""
    lock = try_lock(path)
    if lock is not None:
        os.close(lock)
    return lock is None


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock for a block, waiting for whoever has it."""
    private_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
