"""A real store with rows of every kind (see helpers/tui_rows.py), and no runner, which tests/e2e has."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.runner import client
from tests.helpers.library import filled, library
from tests.helpers.tui_rows import store

__all__ = ["filled", "library", "store"]


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The stores for which a screen asked for a runner; the user's own state folder is left alone."""
    asked: list[Path] = []
    monkeypatch.setattr(client, "ensure_runner", asked.append)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return asked
