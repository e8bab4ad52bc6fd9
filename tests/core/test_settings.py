"""The settings file to begin with, and what is said of settings."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from core import cli
from core.errors import UsageError
from core.settings import Settings, load, template

DEFAULTS = {setting.name: setting for setting in Settings({}, {}, Path()).listed()}


def set_all(text: str) -> str:
    """The template with every setting set to what stands in its comment, except those that are unset by default."""
    return re.sub(r"^# (?=(\w+|\"llama\.cpp\") = )(?!.*= (NUMBER|\"TEXT\")$)", "", text, flags=re.MULTILINE)


def test_the_file_sets_nothing_and_what_it_proposes_is_the_default(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(template())
    assert all(setting.source == "default" for setting in load({"LRM_SETTINGS": str(file)}).listed())
    file.write_text(set_all(template()))
    held = {setting.name: setting for setting in load({"LRM_SETTINGS": str(file)}).listed()}
    assert {name for name, setting in held.items() if setting.source == "default"} == {
        name for name, setting in DEFAULTS.items() if setting.value is None
    }
    assert {n: s.value for n, s in held.items() if "python" not in n} == {
        n: s.value for n, s in DEFAULTS.items() if "python" not in n
    }


def test_every_setting_is_a_sentence_and_has_a_variable() -> None:
    for setting in DEFAULTS.values():
        assert setting.help.endswith(".") and setting.variable in template()


def test_a_file_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "settings.toml"
    monkeypatch.setenv("LRM_SETTINGS", str(file))
    assert cli.main(["settings", "--init"]) == 0
    assert tomllib.loads(file.read_text())["llama.cpp"] == {}
    file.write_text("silence_s = 7\n")
    assert cli.main(["settings", "--init"]) == 2
    assert file.read_text() == "silence_s = 7\n" and "stays as it is" in capsys.readouterr().err


def test_what_holds_says_where_it_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('silence_s = 7\n[python]\nopenai = "/py"\n["llama.cpp"]\nslots = 3\nbatch = 64\n')
    monkeypatch.setenv("LRM_SETTINGS", str(file))
    monkeypatch.setenv("LRM_LLAMA_CPP_SLOTS", "5")
    assert cli.main(["settings", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    held = {row["name"]: (row["value"], row["source"]) for row in said["settings"]}
    assert held["silence_s"] == (7, str(file)) and held["python.openai"] == ("/py", str(file))
    assert held["llama.cpp.slots"] == (5, "LRM_LLAMA_CPP_SLOTS") and held["llama.cpp.batch"] == (64, str(file))
    assert held["replay.slots"] == (8, "default")
    assert cli.main(["settings"]) == 0
    assert "the file" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["python = 3", "[python]\nopenai = 3", '[python]\nnothing = "/py"', "nothing = 1", "silence_s = -1"]
)
def test_a_file_that_makes_no_sense_is_named(text: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"settings\.toml"):
        load({"LRM_SETTINGS": str(file)})
