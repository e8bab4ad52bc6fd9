"""The family tree of errors. Every message says what happened; every `remedy` says what to do next."""

from __future__ import annotations

import errno

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where a disk, a quota or a file's limit is full."""


class LrmError(Exception):
    """Anything that a user can be told about. `remedy` is one sentence in the imperative."""

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class UsageError(LrmError):
    """The request itself makes no sense (an unknown name, a value out of range)."""

    exit_code = 2


class MissingExtra(UsageError):
    """What is asked for needs an optional part of the installation (an extra of pyproject.toml) that is not there."""

    def __init__(self, message: str, extra: str) -> None:
        super().__init__(message, install_command(extra))
        self.extra = extra


def install_command(extra: str) -> str:
    """The sentence that says how to get an extra."""
    return f'Install it: pip install "lrm-tui[{extra}]".'


class DataError(LrmError):
    """Benchmark data are missing or malformed; the message names file and line."""


class ModelError(LrmError):
    """A model is missing, damaged or of a kind that cannot be loaded."""


class ModelMissing(ModelError):
    """There is no model of this name."""

    exit_code = UsageError.exit_code


class EngineError(LrmError):
    """An engine host could not start, died, or stopped making progress."""


class EngineOutOfMemory(EngineError):
    """An engine found too little memory; with fewer sequences side by side it may do."""


class CompressionError(LrmError):
    """A compression job failed."""


class StoreError(LrmError):
    """The run store cannot be used as it is."""


class StoreMissing(StoreError):
    """There is no store where one is named."""

    exit_code = UsageError.exit_code


class StoreBusy(StoreError):
    """Another connection holds the store for longer than we wait."""


class StoreNewer(StoreError):
    """The store was written by a newer version; it may be read, never written."""


class StoreDamaged(StoreError):
    """The file is no store, or no longer a sound one; it is never written to."""


class StoreReadOnly(StoreError):
    """The store or its folder cannot be written."""


class StoreFull(StoreError):
    """The disk or quota is full; what was acknowledged is safe."""


PASSING = (StoreBusy, StoreFull, StoreReadOnly)
"""What keeps a store from being written for a while: the runner waits and goes on."""


class LeaseLost(StoreError):
    """A newer runner owns the store; this one must stop without writing."""


class RunnerError(LrmError):
    """The runner could not be started or reached."""


class RunnerRunning(RunnerError):
    """A runner already serves this store."""
