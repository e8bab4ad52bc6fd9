"""How quiet the machine is while something is measured: what of its processors others took."""

from __future__ import annotations

import os
import time
from typing import Any

import psutil

BUSY = ("user", "nice", "system", "irq", "softirq", "steal")


class Others:
    """Counts from its making on; what this process and its children take is none of others'."""

    def __init__(self) -> None:
        self._began, self._busy, self._own = time.monotonic(), _sum(psutil.cpu_times()), _own()

    def cores(self) -> float:
        """Cores that others kept busy since, on average; another machine's theft of ours (steal) is theirs too."""
        busy, own = _sum(psutil.cpu_times()) - self._busy, _own() - self._own
        return max(0.0, busy - own) / (time.monotonic() - self._began)

    def __str__(self) -> str:
        return f"others took {self.cores():.2f} of {os.cpu_count()} cores (load average {os.getloadavg()[0]:.1f})"


def _sum(times: Any) -> float:
    return float(sum(getattr(times, name) for name in BUSY))


def _own() -> float:
    """Processor seconds of this process and all below it, with what has ended there."""
    me = psutil.Process()
    total = 0.0
    for process in [me, *me.children(recursive=True)]:
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.Error:
            continue
    return total
