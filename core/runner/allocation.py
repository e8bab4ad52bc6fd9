"""What a job gets to compute with: GPUs of this machine, none, or a share of a Ray cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from core.settings import General


class Allocation(Protocol):
    """Resources for one child process at a time.

    `waits`: not allocated yet; a child started now blocks until it is. `alone`: it shares its memory with no other
    allocation of the same run.
    """

    waits: bool
    alone: bool

    def child(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        general: General,
        files: Sequence[str] = (),
        *,
        here: bool = False,
    ) -> tuple[list[str], dict[str, str]]:
        """The command line and environment with which the runner starts a child so that `command` runs in this allocation.

        `files` must exist where it runs; `here`: only this machine will do. Raises EngineError where there is no cluster.
        """

    def release(self) -> None:
        """Give the resources back."""
