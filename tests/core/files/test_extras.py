"""What the light installation cannot do is refused when it is asked for, and says which extra brings it."""

from __future__ import annotations

import re
import sys
import tomllib
from contextlib import closing
from dataclasses import replace
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from benchmarks.base import DataSource
from benchmarks.registry import get
from core.errors import MissingExtra
from core.files import extras
from core.files.extras import MODULES, missing, require
from core.jobs import queue
from core.jobs.requirements import check_preparation
from core.settings import load
from core.spec import RunSpec, Sampling
from core.store.connection import connect

PYPROJECT = Path(__file__).resolve().parents[3] / "pyproject.toml"
POCKET = RunSpec("pocket", "none", "pocket-facts", "llama.cpp", Sampling())


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Modules that seem not to be installed: those of every extra, until a test puts some back."""
    absent = {module for modules in MODULES.values() for module in modules}
    there = extras._is_installed
    monkeypatch.setattr(extras, "_is_installed", lambda module: module not in absent and there(module))
    return absent


def refused(tmp_path: Path, *specs: RunSpec) -> MissingExtra:
    """The error with which the queue refuses; nothing is queued."""
    with closing(connect(tmp_path / "runs.db", "user")) as connection:
        with pytest.raises(MissingExtra) as error:
            queue.add(connection, specs)
        assert connection.execute("SELECT count(*) FROM jobs").fetchone()[0] == 0
    assert f'pip install "lrm-tui[{error.value.extra}]"' in str(error.value)
    return error.value


def test_an_engine_of_this_interpreter_needs_local(tmp_path: Path, light: set[str]) -> None:
    error = refused(tmp_path, POCKET)
    assert error.extra == "local" and error.message.startswith("The engine llama.cpp needs torch,")
    assert refused(tmp_path, replace(POCKET, engine="transformers")).extra == "local"


def test_a_compression_needs_compress(tmp_path: Path, light: set[str]) -> None:
    assert refused(tmp_path, POCKET, replace(POCKET, compression="q4_0")).extra == "compress", "which brings local too"
    light.difference_update(MODULES["local"])
    with closing(connect(tmp_path / "runs.db", "user")) as connection:
        assert queue.add(connection, [POCKET])
        connection.execute("DELETE FROM jobs")
        connection.commit()
    error = refused(tmp_path, replace(POCKET, compression="magnitude-50"))
    assert error.extra == "compress" and "magnitude-50" in error.message


def test_a_preparation_that_was_queued_earlier_is_refused_too(light: set[str]) -> None:
    with pytest.raises(MissingExtra, match=r"lrm-tui\[local\]"):
        check_preparation("none", load())
    light.difference_update(MODULES["local"])
    check_preparation("none", load())
    with pytest.raises(MissingExtra, match=r"lrm-tui\[compress\]"):
        check_preparation("magnitude-50", load())


def test_a_benchmark_of_the_hub_needs_hub_and_one_in_a_folder_does_not(tmp_path: Path, light: set[str]) -> None:
    server = replace(POCKET, model="openai:http://127.0.0.1:9/v1#m", benchmark="folio")
    assert refused(tmp_path, server).extra == "hub"
    with pytest.raises(MissingExtra, match=r"lrm-tui\[hub\]"):
        get("folio").load(DataSource())
    with closing(connect(tmp_path / "runs.db", "user")) as connection:
        queue.add(connection, [replace(server, data=tmp_path), replace(server, benchmark="pocket-facts")])


def test_a_cluster_has_installations_of_its_own(tmp_path: Path, light: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRM_EXECUTOR", "ray")
    with closing(connect(tmp_path / "runs.db", "user")) as connection:
        assert queue.add(connection, [POCKET])


def test_vllm_may_have_an_interpreter_of_its_own(tmp_path: Path, light: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    light.difference_update(MODULES["local"])
    monkeypatch.setenv("LRM_PYTHON_VLLM", sys.executable)
    assert refused(tmp_path, replace(POCKET, engine="vllm")).extra == "vllm"
    monkeypatch.setenv("LRM_PYTHON_VLLM", "/somewhere/else/python")
    with closing(connect(tmp_path / "runs.db", "user")) as connection:
        assert queue.add(connection, [replace(POCKET, engine="vllm")])


def test_what_is_installed_is_not_missing() -> None:
    assert missing("compress") == []
    require("compress", "This test")


@pytest.mark.parametrize("extra", ["hub", "local", "compress", "ray", "vllm"])
def test_modules_are_those_of_the_packages_that_pyproject_names(extra: str) -> None:
    optional = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]

    def packages(name: str) -> set[str]:
        found: set[str] = set()
        for requirement in optional[name]:
            if inner := re.fullmatch(r"lrm-tui\[(.*)\]", requirement):
                found = found.union(*(packages(part) for part in inner[1].split(",")))
            else:
                found.add(_normal(re.match(r"[\w.-]+", requirement).group()))  # type: ignore[union-attr]
        return found

    homes = packages_distributions()
    assert {_normal(homes[m][0]) if m in homes else m for m in MODULES[extra]} == packages(extra)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
