"""The GPUs of this machine and their allocation: a lock file for each, since another folder or user may run a runner too."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from core.engines import nvml
from core.runner.allocation import ChildCommand
from core.settings import General

LOCKS = Path("/tmp/lrm-tui-gpus")
VARIABLE = "CUDA_VISIBLE_DEVICES"
NICE = "nice"
"""Gives CPU-bound commands a lower priority than screen and runner; they run without it where it is missing."""


def low_priority() -> tuple[str, ...]:
    """The prefix of CPU-bound commands."""
    return (found, "-n", "5") if (found := shutil.which(NICE)) else ()


class LocalGpus:
    """An `Allocation` on this machine: GPUs that this process has locked until `release`, or until it ends.

    `locked`: name and lock's file descriptor of each GPU. `threads`: the processors for each child without a GPU.
    """

    def __init__(self, locked: Sequence[tuple[str, int]] = (), threads: int | None = None) -> None:
        self._gpus, self._threads = list(locked), threads
        self.waits, self.alone = False, bool(locked) or threads is None

    @property
    def names(self) -> list[str]:
        """The names of the GPUs, as in CUDA_VISIBLE_DEVICES."""
        return [name for name, _ in self._gpus]

    def environment(self) -> dict[str, str]:
        """The variables that make a child see only these GPUs. Without any, it sees what this process sees."""
        if not self._gpus:
            return {} if self._threads is None else {"OMP_NUM_THREADS": str(self._threads)}
        return {VARIABLE: ",".join(self.names), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # the driver's order; CUDA's own is by speed

    def child(self, command: ChildCommand, general: General) -> tuple[list[str], dict[str, str]]:
        """See `Allocation.child`: the command itself, which sees these GPUs alone; without any it runs at a lower priority."""
        return [*(() if self._gpus else low_priority()), *command.line], {**command.environment, **self.environment()}

    def split(self, parts: int) -> list[LocalGpus]:
        """`parts` allocations with an equal number of these GPUs each. Without any, the parts share the processors."""
        each = len(self._gpus) // parts
        threads = None if each or parts == 1 else max(1, (psutil.cpu_count(logical=False) or 1) // parts)
        return [LocalGpus(self._gpus[i * each : (i + 1) * each], threads) for i in range(parts)]

    def release(self) -> None:
        """Unlock the GPUs."""
        for _, lock in self._gpus:
            os.close(lock)
        self._gpus = []


def present(general: General) -> list[str]:
    """The GPUs that runs may use: those of the setting `gpus`, else those that the driver (NVML) shows us."""
    if named := general.gpus:
        return [name for part in named for name in part.split(",") if name]
    if (visible := os.environ.get(VARIABLE)) is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    return [str(number) for number in range(len(_uuids()))]


def take(count: int, general: General) -> LocalGpus | None:
    """An allocation of `count` free GPUs, or None where there are fewer."""
    locked: list[tuple[str, int]] = []
    uuids = _uuids()
    for name in present(general):
        if len(locked) < count and (lock := _lock(_identity(name, uuids))) is not None:
            locked.append((name, lock))
    allocation = LocalGpus(locked)
    if len(locked) == count:
        return allocation
    allocation.release()
    return None


def _identity(name: str, uuids: Sequence[str]) -> str:
    """The UUID of a GPU given by its number, which differs between containers and shells; else the name itself."""
    return uuids[int(name)] if name.isdigit() and int(name) < len(uuids) else name


def _lock(identity: str) -> int | None:
    """The descriptor of a GPU's lock, or None where another process has it. Any user may lock it: read permission suffices."""
    LOCKS.mkdir(exist_ok=True)
    with suppress(PermissionError):  # another user's folder has these permissions already
        LOCKS.chmod(0o1777)
    path = LOCKS / f"{identity.replace('/', '_')}.lock"
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
        path.chmod(0o644)
    lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _uuids() -> list[str]:
    """The UUIDs of the driver's GPUs, in its order; empty without a driver."""
    with nvml.opened() as library:
        if library is None:
            return []
        try:
            handles = [library.nvmlDeviceGetHandleByIndex(i) for i in range(library.nvmlDeviceGetCount())]
            return [str(library.nvmlDeviceGetUUID(handle)) for handle in handles]
        except library.NVMLError:
            return []
