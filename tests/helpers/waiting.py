"""Waiting for something that another process, thread or task does: one way for threads, one for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def until(condition: Callable[[], Result], seconds: float = 300) -> Result:
    """Poll until the condition is true; its value. Fails when the time is over."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)
    return value


async def eventually(condition: Callable[[], Result], seconds: float = 30, pause: float = 0.05) -> Result:
    """`until` for coroutines: other tasks run between two polls, `pause` seconds apart."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(pause)
    return value
