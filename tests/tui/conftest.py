"""A real store with rows of every kind (see helpers/tui_rows.py), and no runner, which tests/e2e has."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from core import launch

sys.path.append(str(Path(__file__).parent / "helpers"))  # test modules have no packages to import helpers from

from library import filled, library
from tui_rows import store

__all__ = ["filled", "library", "store"]


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The stores for which a screen asked for a runner; the user's own state folder is left alone."""
    asked: list[Path] = []
    monkeypatch.setattr(launch, "ensure_runner", asked.append)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return asked
