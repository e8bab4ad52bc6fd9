"""Where one engine or compression runs: on this machine, with GPUs of its own or none, or somewhere on a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Allocation(Protocol):
    """A place for one child process at a time. While it `waits` it is not had yet, and a child started for it waits too.

    `alone`: it shares its memory with no other place of the same run.
    """

    waits: bool
    alone: bool

    def child(
        self, command: Sequence[str], environment: Mapping[str, str], files: Sequence[str] = (), *, here: bool = False
    ) -> tuple[list[str], dict[str, str]]:
        """The command line and environment of the child that the runner starts in order to have `command` run here.

        `files` must be there for it; `here`: it needs this very machine. Raises EngineError where the cluster is not had.
        """

    def release(self) -> None:
        """Give the place back."""
