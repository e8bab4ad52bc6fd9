"""File locks (flock), which the kernel releases when the process that has one ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.files.private import private_folder


def try_lock(path: Path) -> int | None:
    """The file descriptor of the acquired lock, or None where another process has it. Closing it releases the lock."""
    private_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def lock_with_retries(path: Path) -> int | None:
    """`try_lock`, retried for half a second, since `is_locked` of another process has the lock for a moment."""
    for _ in range(10):
        lock = try_lock(path)
        if lock is not None:
            return lock
        time.sleep(0.05)
    return None


def is_locked(path: Path) -> bool:
    """Whether another process has the lock; to find out, this acquires and releases it."""
    lock = try_lock(path)
    if lock is not None:
        os.close(lock)
    return lock is None


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Wait for the lock and keep it for the length of the block."""
    private_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
