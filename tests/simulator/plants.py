"""Known faults planted again: each takes one mend out of the real code, and the simulator must find it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

PLANTS: dict[str, Callable[[], AbstractContextManager[object]]] = {}


def planted(name: str | None) -> AbstractContextManager[object]:
    """The code with this fault, or as it is."""
    return nullcontext() if name is None else PLANTS[name]()
