"""The interface of what a job computes with: GPUs of this machine, its processors, or a share of a Ray cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.settings import General


@dataclass(frozen=True, slots=True)
class ChildCommand:
    """A command to run in an allocation, with its environment.

    `files` must exist on the machine where it runs; `local_only`: only this machine will do.
    """

    line: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[str] = ()
    local_only: bool = False


class Allocation(Protocol):
    """Resources for one child process at a time.

    `waits`: not allocated yet; a child started now blocks until it is. `alone`: it shares its memory with no other
    allocation of the same run.
    """

    waits: bool
    alone: bool

    def child(self, command: ChildCommand, general: General) -> tuple[list[str], dict[str, str]]:
        """The command line and environment with which the runner starts a child so that `command` runs in this allocation.

        Raises EngineError where there is no cluster.
        """

    def release(self) -> None:
        """Give the resources back."""
