"""Which GPUs there are, and who has them: a lock file for each, since another folder or user may run a runner too."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from core.engines import nvml
from core.settings import General

LOCKS = Path("/tmp/lrm-tui-gpus")
VARIABLE = "CUDA_VISIBLE_DEVICES"
GIVES_WAY = ("nice", "-n", "5")
"""Prefix of CPU-bound commands: a lower priority than screen and runner."""


class LocalGpus:
    """GPUs that are ours until `release`, or until this process ends: an `Allocation` on this machine."""

    def __init__(self, held: Sequence[tuple[str, int]] = (), threads: int | None = None) -> None:
        self._held, self._threads = list(held), threads
        self.waits, self.alone = False, bool(held) or threads is None

    @property
    def names(self) -> list[str]:
        """The GPUs, as CUDA_VISIBLE_DEVICES names them."""
        return [name for name, _ in self._held]

    def environment(self) -> dict[str, str]:
        """What makes a child see these GPUs alone. Without any, it sees what this process sees."""
        if not self._held:
            return {} if self._threads is None else {"OMP_NUM_THREADS": str(self._threads)}
        return {VARIABLE: ",".join(self.names), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # the driver's order; CUDA's own is by speed

    def child(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        general: General,
        files: Sequence[str] = (),
        *,
        here: bool = False,
    ) -> tuple[list[str], dict[str, str]]:
        """See `Allocation.child`: the command itself, which sees these GPUs alone; without any it runs at a lower priority."""
        return [*(() if self._held else GIVES_WAY), *command], {**environment, **self.environment()}

    def split(self, parts: int) -> list[LocalGpus]:
        """As many leases of equally many of these GPUs. Without any, the parts share the processors."""
        each = len(self._held) // parts
        threads = None if each or parts == 1 else max(1, (psutil.cpu_count(logical=False) or 1) // parts)
        return [LocalGpus(self._held[i * each : (i + 1) * each], threads) for i in range(parts)]

    def release(self) -> None:
        """Give them back."""
        for _, lock in self._held:
            os.close(lock)
        self._held = []


def present(general: General) -> list[str]:
    """The GPUs that runs may use: those of the setting `gpus`, else those that the driver (NVML) shows us."""
    if named := general.gpus:
        return [name for part in named for name in part.split(",") if name]
    if (visible := os.environ.get(VARIABLE)) is not None:
        return [name.strip() for name in visible.split(",") if name.strip()]
    return [str(number) for number in range(len(_uuids()))]


def take(count: int, general: General) -> LocalGpus | None:
    """So many free GPUs, or None where there are fewer."""
    held: list[tuple[str, int]] = []
    uuids = _uuids()
    for name in present(general):
        if len(held) < count and (lock := _lock(_identity(name, uuids))) is not None:
            held.append((name, lock))
    lease = LocalGpus(held)
    if len(held) == count:
        return lease
    lease.release()
    return None


def _identity(name: str, uuids: Sequence[str]) -> str:
    """One name for a GPU, whichever number it has in this container or shell."""
    return uuids[int(name)] if name.isdigit() and int(name) < len(uuids) else name


def _lock(identity: str) -> int | None:
    """The open lock of a GPU, or None where somebody has it. Anyone may lock it: reading suffices for that."""
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
    """The GPUs of the driver, in its order; empty without one."""
    with nvml.opened() as library:
        if library is None:
            return []
        try:
            handles = [library.nvmlDeviceGetHandleByIndex(i) for i in range(library.nvmlDeviceGetCount())]
            return [str(library.nvmlDeviceGetUUID(handle)) for handle in handles]
        except library.NVMLError:
            return []
