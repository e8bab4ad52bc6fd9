"""What the processors offer an engine: threads, room in their caches, and whether others leave them idle."""

from __future__ import annotations

import os
import time
from pathlib import Path

SMALL = 32 * 2**20
"""Bytes of weights that every processor can keep in its caches."""
SLOTS, MOST = 8, 64


def usual_slots(decoding: int, weights: int) -> int:
    """Sequences side by side where nobody says how many: SLOTS for each of the threads that decode a small model by themselves.

    `decoding` threads (0: a GPU decodes), `weights` in bytes.
    """
    return max(SLOTS, min(MOST, SLOTS * decoding)) if weights <= SMALL else SLOTS


def idle_share(seconds: float = 0.1) -> float:
    """What of the processors nobody uses just now."""
    first = _ticks()
    time.sleep(seconds)
    passed = [after - before for before, after in zip(first, _ticks(), strict=True)]
    return sum(passed[3:5]) / max(1, sum(passed))


def _ticks() -> list[int]:
    """Times of all processors together: user, nice, system, idle, waiting for disks, and what else there is up to steal."""
    return [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]


def threads(asked: int | None) -> int:
    """As asked, else what OMP_NUM_THREADS says, else the cores that this process may use."""
    if asked:
        return asked
    if (variable := os.environ.get("OMP_NUM_THREADS", "")).isdigit():
        return max(1, int(variable))
    cores = set()  # hardware threads of one core count once
    for cpu in os.sched_getaffinity(0):
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        cores.add(siblings.read_text() if siblings.exists() else str(cpu))
    return max(1, len(cores))
