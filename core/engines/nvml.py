"""NVML, NVIDIA's library about GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def started() -> ModuleType | None:
    """The library, initialised; None where it or a driver is missing. `nvmlShutdown` ends it."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001 - whatever is missing, there is no GPU to speak of
        return None
    return pynvml  # type: ignore[no-any-return]


@contextmanager
def opened() -> Iterator[ModuleType | None]:
    """The library for one question, shut down afterwards; None where it or a driver is missing."""
    nvml = started()
    try:
        yield nvml
    finally:
        if nvml is not None:
            nvml.nvmlShutdown()
