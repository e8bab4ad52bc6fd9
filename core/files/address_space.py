"""The limit on the memory that a process may map, which shells set with `ulimit -v`."""

from __future__ import annotations

import resource

from core.errors import UsageError

LEAST = 2**30
"""Bytes without which numpy's threads, or a model, cannot be mapped."""
RAISE = "Raise it with `ulimit -v unlimited` in the shell that starts lrm-tui, or in its job's settings."


def limit() -> int | None:
    """The limit in bytes; None where there is none."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def check() -> None:
    """Raise UsageError where so little may be mapped that no run can work."""
    least = limit()
    if least is not None and least < LEAST:
        raise UsageError(
            f"Processes of this shell may map {least // 2**20:,} MiB (`ulimit -v`), too little for any run.", RAISE
        )
