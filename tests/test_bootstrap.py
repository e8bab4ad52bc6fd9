"""Set-up names what is missing before it begins, shows how far it is, and goes on where it was broken off."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture
def bootstrap(tmp_path: Path) -> ModuleType:
    """The script, copied with what it reads to where it may write."""
    for name in ("bootstrap.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(REPOSITORY / name, tmp_path)
    shutil.copytree(REPOSITORY / "native", tmp_path / "native")
    spec = importlib.util.spec_from_file_location("bootstrap", tmp_path / "bootstrap.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_an_old_python_is_named(bootstrap: ModuleType) -> None:
    with pytest.raises(bootstrap.Missing, match=r"3\.11 or newer, and this is 3\.9"):
        bootstrap.check_python((3, 9))


def test_a_missing_compiler_is_named_before_anything_is_made(tmp_path: Path, bootstrap: ModuleType) -> None:
    environment = {"PATH": str(tmp_path / "nothing"), "HOME": str(tmp_path), "LRM_WHEELS": str(tmp_path / "wheels")}
    command = [sys.executable, str(tmp_path / "bootstrap.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "C++ compiler" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_wheel_that_is_there_needs_no_compiler(
    tmp_path: Path, bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRM_WHEELS", str(tmp_path / "wheels"))
    venv = tmp_path / ".venv"
    assert any("wheel" in step.command for step in bootstrap.plan(venv, bootstrap.wheels(""), ""))
    bootstrap.wheels("").mkdir(parents=True)
    (bootstrap.wheels("") / "llama_cpp_python-0.1.0-py3-none-any.whl").touch()
    assert any("wheel" in step.command for step in bootstrap.plan(venv, bootstrap.wheels(""), "")), "not the locked version"
    version = bootstrap.pinned("llama-cpp-python").partition("==")[2]
    (bootstrap.wheels("") / f"llama_cpp_python-{version}-py3-none-any.whl").touch()
    assert not any("wheel" in step.command for step in bootstrap.plan(venv, bootstrap.wheels(""), ""))
    assert bootstrap.wheels("") != bootstrap.wheels("-DGGML_CUDA=on")


def test_a_full_disk_is_named(tmp_path: Path, bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=2**30)
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(bootstrap.Missing, match=r"1\.0 GiB free"):
        bootstrap.check_disk(tmp_path / "not there yet" / ".venv")


def test_a_step_that_fails_shows_the_end_of_its_log(
    tmp_path: Path, bootstrap: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "print('[ 7/10] Building'); print('no such header'); raise SystemExit(3)"
    with pytest.raises(bootstrap.Missing, match="no such header"):
        bootstrap.run("[1/1] compiling", bootstrap.Step("compiling", [sys.executable, "-c", code]), tmp_path / "build" / "log")
    assert "[1/1] compiling  failed after" in capsys.readouterr().out
    assert bootstrap.share(tmp_path / "build" / "log") == "70 %"


def test_flags_once_given_hold_and_a_set_up_that_is_done_does_nothing(tmp_path: Path, bootstrap: ModuleType) -> None:
    """Steps are replaced by nothing, so that what set-up remembers is seen."""
    ran: list[str] = []
    bootstrap.run = lambda title, step, log: ran.append(step.flags or step.title)
    bootstrap.check_disk = lambda folder: None
    venv = tmp_path / ".venv"
    venv.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in ("CMAKE_ARGS", "LRM_WHEELS")}
    environment["LRM_WHEELS"] = str(tmp_path / "wheels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap.os, "environ", {**environment, "CMAKE_ARGS": "-DGGML_CUDA=on"})
        bootstrap.set_up(venv)
        patch.setattr(bootstrap.os, "environ", environment)
        assert any("-DGGML_CUDA=on" in one for one in ran)
        ran.clear()
        bootstrap.set_up(venv)
        assert ran == []
        (tmp_path / "pyproject.toml").write_text((tmp_path / "pyproject.toml").read_text() + "\n# changed\n")
        bootstrap.set_up(venv)
        assert any("-DGGML_CUDA=on" in one for one in ran)
        ran.clear()
        (tmp_path / "constraints.txt").write_text((tmp_path / "constraints.txt").read_text() + "another==1\n")
        bootstrap.set_up(venv)
        assert any("-DGGML_CUDA=on" in one for one in ran)
    assert json.loads((venv / ".ready").read_text())["flags"] == "-DGGML_CUDA=on"


def test_set_up_says_what_it_will_do_before_and_how_long_it_took_after(
    tmp_path: Path, bootstrap: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRM_WHEELS", str(tmp_path / "wheels"))
    monkeypatch.setattr(bootstrap, "run", lambda title, step, log: print(title))
    monkeypatch.setattr(bootstrap, "check_compiler", lambda: None)
    (tmp_path / ".venv").mkdir()
    bootstrap.set_up(tmp_path / ".venv")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"Setting up {tmp_path / '.venv'}: environment, pip, llama.cpp, compiled once")
    assert "constraints.txt. About 10 min on two cores" in lines[1] and "2.5 GiB" in lines[1]
    assert lines[2] == "[1/5] environment" and re.fullmatch(r"Set up in \d+ s; .*\.venv takes 0\.0 GiB\.", lines[-1])


def test_the_newest_packages_are_not_held_by_the_lock(tmp_path: Path, bootstrap: ModuleType) -> None:
    """Once made with `--newest`, an environment stays one of the newest packages."""
    commands: list[list[str]] = []
    bootstrap.run = lambda title, step, log: commands.append(step.command)
    bootstrap.check_disk = bootstrap.check_compiler = lambda *_: None
    venv = tmp_path / ".venv-newest"
    venv.mkdir()
    bootstrap.set_up(venv, newest=True)
    assert commands and not any("constraint" in word or "==" in word for command in commands for word in command)
    first = len(commands)
    bootstrap.set_up(venv)
    assert len(commands) == first, "nothing has changed"
    bootstrap.set_up(venv, newest=True)
    assert len(commands) == 2 * first
    other = tmp_path / ".venv"
    other.mkdir()
    commands.clear()
    bootstrap.set_up(other)
    assert [str(tmp_path / "constraints.txt") in command for command in commands if "--editable" in command] == [True]
    assert not any("--upgrade" in command for command in commands)


def test_a_lock_leaves_builds_and_cuda_free(tmp_path: Path, bootstrap: ModuleType) -> None:
    """A stand-in for the interpreter lists packages as pip does."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    listing = [
        ("torch", "2.13.0+cpu"), ("Jinja2", "3.1.6"), ("lrm-tui", "0.1.0"), ("nvidia-ml-py", "13.6"), ("triton", "3.7"),
        ("nvidia-cublas-cu13", "13.1"), ("cuda-bindings", "13.0"), ("ruamel.yaml", "1"), ("typing_extensions", "4.16.0"),
    ]  # fmt: skip
    python.write_text(f"#!/bin/sh\necho '{json.dumps([{'name': n, 'version': v} for n, v in listing])}'\n")
    python.chmod(0o755)
    bootstrap.lock(tmp_path / ".venv")
    lines = (tmp_path / "constraints.txt").read_text().splitlines()
    assert "make lock" in " ".join(line for line in lines if line.startswith("#"))
    assert [line for line in lines if not line.startswith("#")] == [
        "jinja2==3.1.6", "nvidia-ml-py==13.6", "ruamel-yaml==1", "torch==2.13.0", "typing-extensions==4.16.0"
    ]  # fmt: skip
    with pytest.raises(bootstrap.Missing, match="Set it up first"):
        bootstrap.lock(tmp_path / "nothing")


def test_the_lock_holds_everything_that_pyproject_names(bootstrap: ModuleType) -> None:
    """Each requirement but vLLM's, which has an environment of its own, in a version that it allows."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = {name: lines for name, lines in project["optional-dependencies"].items() if name != "vllm"}
    for line in [*project["dependencies"], *(line for lines in extras.values() for line in lines)]:
        requirement = Requirement(line)
        if requirement.name != project["name"]:
            version = bootstrap.pinned(canonicalize_name(requirement.name)).partition("==")[2]
            assert version in requirement.specifier, line
    hosts = re.compile(r"https?://|index-url|find-links")
    assert not hosts.search((REPOSITORY / "constraints.txt").read_text())


def test_a_processor_with_amx_gets_a_header_and_a_wheel_of_its_own(
    tmp_path: Path, bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = tmp_path / "cpuinfo"
    facts.write_text("processor\t: 0\nmodel name\t: one with amx_int8\nflags\t\t: fpu avx512_vnni\n")
    assert not bootstrap.has_amx(facts)
    facts.write_text("processor\t: 0\nflags\t\t: fpu amx_bf16 amx_tile amx_int8 avx512_vnni\n")
    assert bootstrap.has_amx(facts)
    monkeypatch.setenv("LRM_WHEELS", str(tmp_path / "wheels"))
    kept = []
    for amx in (False, True):
        monkeypatch.setattr(bootstrap, "has_amx", lambda amx=amx: amx)
        kept.append(bootstrap.wheels(""))
        (step,) = [step for step in bootstrap.plan(tmp_path / ".venv", kept[-1], "") if "wheel" in step.command]
        assert (step.headers, "--no-cache-dir" in step.command) == ((str(tmp_path / "native"), True) if amx else ("", False))
    assert kept[0] != kept[1]


@pytest.mark.skipif(not shutil.which("g++"), reason="no g++")
def test_with_that_header_the_whole_configuration_reaches_the_tiles(tmp_path: Path, bootstrap: ModuleType) -> None:
    """The compiler alone is asked, so that a machine without AMX shows it too."""
    source = tmp_path / "tiles.cpp"
    source.write_text(
        "#include <immintrin.h>\n"
        "void set() { alignas(64) unsigned char tiles[64] = {1}; tiles[48] = 113; _tile_loadconfig(tiles); }\n"
    )
    flags = ("-O3", "-march=sapphirerapids", "-S", "-o", "-")
    environment = {**os.environ, "CPLUS_INCLUDE_PATH": str(REPOSITORY / "native")}
    made = subprocess.run(["g++", *flags, str(source)], env=environment, capture_output=True, text=True, check=True).stdout
    assert "$113" in made and "lrm_whole_tile_configuration" in made
