"""The processors as engines see them: number of threads, default number of slots, and the idle share."""

from __future__ import annotations

import os
import time
from pathlib import Path

SMALL = 32 * 2**20
"""Bytes of weights that every processor can keep in its caches."""
SLOTS, MAX_SLOTS = 8, 64


def usual_slots(decoding: int, weights: int) -> int:
    """The default number of slots (sequences decoded at once): SLOTS, or for a small model SLOTS a thread, up to MAX_SLOTS.

    `decoding`: number of threads that decode (0: a GPU does); `weights`: bytes.
    """
    return max(SLOTS, min(MAX_SLOTS, SLOTS * decoding)) if weights <= SMALL else SLOTS


def idle_share(seconds: float = 0.1) -> float:
    """The share of processor time that is idle, 0 to 1, measured over `seconds`."""
    first = _ticks()
    time.sleep(seconds)
    passed = [after - before for before, after in zip(first, _ticks(), strict=True)]
    return sum(passed[3:5]) / max(1, sum(passed))


def _ticks() -> list[int]:
    """Ticks of all processors together, as in /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal."""
    return [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]


def threads(setting: int | None) -> int:
    """The number of threads: `setting`, else OMP_NUM_THREADS, else the cores that this process may use."""
    if setting:
        return setting
    if (variable := os.environ.get("OMP_NUM_THREADS", "")).isdigit():
        return max(1, int(variable))
    cores = set()  # hardware threads of one core count once
    for cpu in os.sched_getaffinity(0):
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        cores.add(siblings.read_text() if siblings.exists() else str(cpu))
    return max(1, len(cores))
