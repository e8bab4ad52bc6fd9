"""Settings and state lie where the platform keeps them, unless they lie below the home folder already."""

from __future__ import annotations

import sys
from pathlib import Path

import platformdirs
import pytest

from core.files.folders import config_folder, state_folder
from core.settings import settings_file


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder on a platform with rules of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("config", "state"):
        library = tmp_path / "Library" / name
        monkeypatch.setattr(platformdirs, f"user_{name}_path", lambda app, appauthor, library=library: library / app)
    return tmp_path


def test_a_variable_goes_first(home: Path) -> None:
    assert config_folder({"XDG_CONFIG_HOME": "/c"}) == Path("/c/lrm-tui")
    assert state_folder({"XDG_STATE_HOME": "/s"}) == Path("/s/lrm-tui")
    assert settings_file({"XDG_CONFIG_HOME": "/c"}) == Path("/c/lrm-tui/settings.toml")
    assert settings_file({"XDG_CONFIG_HOME": "/c", "LRM_SETTINGS": "/mine.toml"}) == Path("/mine.toml")


def test_a_folder_in_use_is_kept_and_a_new_one_is_the_platform_s(home: Path) -> None:
    assert config_folder({}) == home / "Library" / "config" / "lrm-tui"
    assert state_folder({}) == home / "Library" / "state" / "lrm-tui"
    (home / ".config" / "lrm-tui").mkdir(parents=True)
    (home / ".local" / "state" / "lrm-tui").mkdir(parents=True)
    assert config_folder({}) == home / ".config" / "lrm-tui"
    assert state_folder({}) == home / ".local" / "state" / "lrm-tui"


def test_on_linux_nothing_has_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    if sys.platform != "linux":
        pytest.skip("this is no Linux")
    assert config_folder({}) == tmp_path / ".config" / "lrm-tui"
    assert state_folder({}) == tmp_path / ".local" / "state" / "lrm-tui"
