"""Set up the environment that `make` works with: `python bootstrap.py [.venv]`.

Looks first whether everything needed is there, shows how far it is, and does nothing where all is done. llama.cpp is
compiled once: its wheel is kept in LRM_WHEELS (~/.cache/lrm-tui/wheels), one folder for each CMAKE_ARGS, so that a machine
for continuous integration has one folder to keep. CMAKE_ARGS once given hold until others are given.

The syntax is that of Python 3.7, so that an old interpreter can say which one is needed; standard library alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
LOG = HERE / "build" / "setup.log"
PYTHON = (3, 11)
NEEDED_GIB = 4
PLENTY_GIB = 12
# llama.cpp's libraries alone: leaving its tools, server and tests out shortens the compilation.
LIBRARIES_ALONE = "-DLLAVA_BUILD=OFF " + " ".join(
    f"-DLLAMA_BUILD_{part}=OFF" for part in ("TOOLS", "SERVER", "TESTS", "EXAMPLES")
)
# Headers that go before the compiler's, and what a processor must have for them to matter.
HEADERS, AMX = HERE / "native", re.compile(r"^flags\s*:.*\bamx_int8\b", re.MULTILINE)
LINE_EVERY_S = 30.0
TICK_S = 0.5
CLEAR = "\r\x1b[2K"
COUNTED = re.compile(r"\[\s*(\d+)(?:/(\d+)|%)\]")


class Missing(Exception):
    """Something that set-up cannot do without; the message says what to do."""


class Step(NamedTuple):
    """One command of the set-up; `flags` are CMake's, `headers` a folder for the C++ compiler to look into first."""

    title: str
    command: list[str]
    flags: str = ""
    headers: str = ""


def main(arguments: Sequence[str]) -> int:
    """Set up, or say what is missing."""
    try:
        set_up(Path(arguments[0] if arguments else HERE / ".venv").absolute())
    except Missing as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    return 0


def set_up(venv: Path) -> None:
    """Whatever is not done yet. Raises Missing before the first step where something is missing."""
    check_python(sys.version_info[:2])
    stamp = venv / ".ready"
    done = state_of(stamp)
    flags = os.environ.get("CMAKE_ARGS", done.get("flags", "")).strip()
    packages = hashlib.sha256((HERE / "pyproject.toml").read_bytes()).hexdigest()
    kept = wheels(flags)
    wanted = {"flags": flags, "packages": packages, "python": version_of(sys.version_info), "wheel": kept.name}
    if done == wanted:
        return
    if not built(kept):
        check_compiler()
    check_disk(venv.parent)
    steps = plan(venv, kept, flags)
    for number, step in enumerate(steps, 1):
        run(f"[{number}/{len(steps)}] {step.title}", step, LOG)
        stamp.write_text(json.dumps({"flags": flags}), encoding="utf-8")
    stamp.write_text(json.dumps(wanted), encoding="utf-8")


def plan(venv: Path, kept: Path, flags: str) -> list[Step]:
    """The steps. What pip finds in place already, it leaves, so that a set-up that was broken off goes on."""
    python = venv / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    steps = []
    if not python.exists() or python_of(venv) != version_of(sys.version_info):
        steps.append(Step("environment", [sys.executable, "-m", "venv", "--clear", str(venv)]))
    steps.append(Step("pip", [*pip, "install", "--upgrade", "pip"]))
    if not built(kept):
        headers = str(HEADERS) if has_amx() else ""
        own = ["--no-cache-dir"] if flags or headers else []  # pip's cache does not tell such wheels apart
        wheel = [*pip, "wheel", "--verbose", "--no-deps", *own, "--wheel-dir", str(kept), llama_cpp()]
        steps.append(Step("llama.cpp, compiled once (some minutes)", wheel, f"{LIBRARIES_ALONE} {flags}".strip(), headers))
    local = ["--force-reinstall", "--no-deps", "--no-index", "--find-links", str(kept)]
    steps.append(Step("llama.cpp from its wheel", [*pip, "install", *local, llama_cpp()]))
    steps.append(Step("packages", [*pip, "install", "--editable", f"{HERE}[dev]"]))
    return steps


def version_of(version: Sequence[object]) -> str:
    """The part of Python's version that an environment is made for."""
    return ".".join(map(str, version[:2]))


def python_of(venv: Path) -> str:
    """The Python of an environment; empty where it does not say so."""
    found = re.search(r"^version\s*=\s*([0-9]+\.[0-9]+)", (venv / "pyvenv.cfg").read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else ""


def check_python(version: Sequence[int]) -> None:
    """Raises Missing for an old Python, or one that makes no environments."""
    if tuple(version) < PYTHON:
        raise Missing(
            f"lrm-tui needs Python {version_of(PYTHON)} or newer, and this is {version_of(version)}. "
            "Name another: `make setup PYTHON=python3.11`."
        )
    if importlib.util.find_spec("ensurepip") is None:
        raise Missing("this Python makes no environments (no ensurepip). Debian and Ubuntu: `apt install python3-venv`.")


def check_compiler() -> None:
    """Raises Missing where nothing compiles C++."""
    named = os.environ.get("CXX", "").split()[:1]
    if not any(shutil.which(name) for name in [*named, "c++", "g++", "clang++"]):
        raise Missing("llama.cpp is compiled and needs a C++ compiler. Debian and Ubuntu: `apt install g++`.")


def check_disk(folder: Path) -> None:
    """Raises Missing where the packages do not fit; says where PyTorch's CUDA libraries may not."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free / 2**30
    if free < NEEDED_GIB:
        raise Missing(f"{there} has {free:.1f} GiB free, and the packages take {NEEDED_GIB}. Free some space there.")
    if free < PLENTY_GIB:
        print(f"{there} has {free:.1f} GiB free; with PyTorch's CUDA libraries the packages can take more than that.")


def state_of(stamp: Path) -> dict[str, str]:
    """What an earlier set-up has done; nothing where none came to its end."""
    try:
        return dict(json.loads(stamp.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def wheels(flags: str) -> Path:
    """The folder that keeps llama.cpp's wheel for these flags, this version and this Python."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lrm-tui" / "wheels"
    key = f"{llama_cpp()} {LIBRARIES_ALONE} {flags} {sys.implementation.cache_tag}"
    if has_amx():
        key += (HEADERS / "amxtileintrin.h").read_text(encoding="utf-8")
    return Path(os.environ.get("LRM_WHEELS") or cache).absolute() / hashlib.sha256(key.encode()).hexdigest()[:12]


def built(kept: Path) -> bool:
    """Whether llama.cpp's wheel is there."""
    return any(kept.glob("llama_cpp_python-*.whl"))


def has_amx(facts: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether llama.cpp will be compiled with its AMX kernels, which need a header of ours."""
    try:
        return AMX.search(facts.read_text(encoding="utf-8")) is not None
    except OSError:
        return False


def llama_cpp() -> str:
    """The requirement that pyproject.toml states."""
    found = re.search(r'"(llama-cpp-python[<>=].*)"', (HERE / "pyproject.toml").read_text(encoding="utf-8"))
    if found is None:
        raise Missing("pyproject.toml does not name llama-cpp-python.")
    return found.group(1)


def run(title: str, step: Step, log: Path) -> None:
    """Run one step, its words going to the log, and show for how long and how far. Raises Missing with the log's end."""
    environment = {**os.environ, "CMAKE_ARGS": step.flags} if step.flags else dict(os.environ)
    if step.headers:
        others = os.environ.get("CPLUS_INCLUDE_PATH")
        environment["CPLUS_INCLUDE_PATH"] = os.pathsep.join([step.headers, *([others] if others else [])])
    began, shown = time.monotonic(), -LINE_EVERY_S
    log.parent.mkdir(exist_ok=True)
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            step.command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=environment
        )
        try:
            while process.poll() is None:
                seconds = time.monotonic() - began
                if sys.stdout.isatty():
                    print(f"{CLEAR}{title}  {seconds:.0f} s  {share(log)}", end="", flush=True)
                elif seconds - shown >= LINE_EVERY_S:
                    print(f"{title}  {seconds:.0f} s  {share(log)}".rstrip(), flush=True)
                    shown = seconds
                time.sleep(TICK_S)
        except BaseException:
            process.terminate()
            raise
    state = "failed after" if process.returncode else "done in"
    print(f"{CLEAR if sys.stdout.isatty() else ''}{title}  {state} {time.monotonic() - began:.0f} s", flush=True)
    if process.returncode:
        end = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise Missing(f"this step failed: {' '.join(step.command)}\n{end}\nAll of it: {log}. `make setup` goes on from here.")


def share(log: Path) -> str:
    """How far a compilation is, from the last count in the log."""
    with log.open("rb") as lines:
        lines.seek(max(0, log.stat().st_size - 4096))
        counts = COUNTED.findall(lines.read().decode("utf-8", "replace"))
    if not counts:
        return ""
    done, total = counts[-1]
    return f"{100 * int(done) // int(total) if int(total or 0) else done} %"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
