"""Set-up names what is missing before it begins, shows how far it is, and goes on where it was broken off."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture
def bootstrap(tmp_path: Path) -> ModuleType:
    """The script, copied with its pyproject.toml to where it may write."""
    for name in ("bootstrap.py", "pyproject.toml"):
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
    (bootstrap.wheels("") / "llama_cpp_python-0.3.36-py3-none-any.whl").touch()
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
    assert json.loads((venv / ".ready").read_text())["flags"] == "-DGGML_CUDA=on"


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
