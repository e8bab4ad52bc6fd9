"""How thread workers start the runner."""

from __future__ import annotations

from pathlib import Path

from core.errors import LrmError


def start_runner(store: Path) -> LrmError | None:
    """Make sure that a runner serves the store; the reason where that fails."""
    from core.runner.client import ensure_runner

    try:
        ensure_runner(store)
    except LrmError as error:
        return error
    return None
