"""The user's folders for settings and for the screen's state, by the rules of the platform (on Linux, of XDG)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import platformdirs

NAME = "lrm-tui"


def config_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the settings file."""
    platform_default = platformdirs.user_config_path(NAME, appauthor=False)
    return _folder(environment, "XDG_CONFIG_HOME", Path(".config"), platform_default)


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the screen's state and of copied texts."""
    platform_default = platformdirs.user_state_path(NAME, appauthor=False)
    return _folder(environment, "XDG_STATE_HOME", Path(".local", "state"), platform_default)


def _folder(environment: Mapping[str, str], variable: str, xdg_default: Path, platform_default: Path) -> Path:
    """The folder of the XDG variable if set, else `xdg_default` in the home folder if it exists, else `platform_default`."""
    if base := environment.get(variable):
        return Path(base) / NAME
    in_home = Path.home() / xdg_default / NAME
    return in_home if in_home.exists() else platform_default
