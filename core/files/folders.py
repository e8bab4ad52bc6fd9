"""The user's folders for settings and state, by the platform's rules; a folder of theirs that is in use already is kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import platformdirs

NAME = "lrm-tui"


def config_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the settings file lies."""
    usual = platformdirs.user_config_path(NAME, appauthor=False)
    return _folder(environment, "XDG_CONFIG_HOME", Path(".config"), usual)


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the screen keeps what it remembers, and copied texts."""
    usual = platformdirs.user_state_path(NAME, appauthor=False)
    return _folder(environment, "XDG_STATE_HOME", Path(".local", "state"), usual)


def _folder(environment: Mapping[str, str], variable: str, dotted: Path, usual: Path) -> Path:
    """The variable's folder on every platform, else the one below the home folder where it exists, else the platform's."""
    if base := environment.get(variable):
        return Path(base) / NAME
    below_home = Path.home() / dotted / NAME
    return below_home if below_home.exists() else usual
