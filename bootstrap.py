"""Set up the environment that `make` works with: `python bootstrap.py [--newest | --lock] [.venv]`.

Looks first whether everything needed is there, says what it will do and how long that takes, shows how far it is, and does
nothing where all is done. Packages have the versions of constraints.txt, which were tested together; with `--newest` they
have the newest ones that pyproject.toml allows, and `--lock` writes the versions of an environment to constraints.txt.

llama.cpp is compiled once: its wheel is kept in LRM_WHEELS (~/.cache/lrm-tui/wheels), one folder for each CMAKE_ARGS, so
that a machine for continuous integration has one folder to keep. CMAKE_ARGS once given hold until others are given.

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
LOCK = HERE / "constraints.txt"
PYTHON = (3, 11)
DISK_GIB = 2.5
CUDA_DISK_GIB = 8
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
NEWEST = "newest"
# Not locked: ourselves, and what only PyTorch's CUDA builds bring, each of which names the exact versions itself.
OF_TORCH = re.compile(r"lrm-tui$|nvidia-(?!ml-py$)|cuda-|triton$|pytorch-triton")
LOCK_HEAD = """\
# Versions that were tested together, on Python 3.11; set-up installs these (pip install --constraint).
# Made by `make lock`: what pip lists in .venv, without lrm-tui itself, without local versions such as torch's +cpu (the build
# for CPUs or for CUDA is your choice), and without the CUDA libraries, whose versions PyTorch names itself."""
COUNTED = re.compile(r"\[\s*(\d+)(?:/(\d+)|%)\]")


class Missing(Exception):
    """Something that set-up cannot do without; the message says what to do."""


class Step(NamedTuple):
    """One command of the set-up; `flags` are CMake's, `headers` a folder for the C++ compiler to look into first.

    `seconds` is what it took on two cores with a fast line.
    """

    title: str
    command: list[str]
    flags: str = ""
    headers: str = ""
    seconds: int = 10


def main(arguments: Sequence[str]) -> int:
    """Set up, lock, or say what is missing."""
    names = [argument for argument in arguments if not argument.startswith("--")]
    venv = Path(names[0] if names else HERE / ".venv").absolute()
    try:
        if "--lock" in arguments:
            lock(venv)
        else:
            set_up(venv, newest="--newest" in arguments)
    except Missing as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    return 0


def set_up(venv: Path, newest: bool = False) -> None:
    """Whatever is not done yet; with `newest` everything. Raises Missing before the first step where something is missing.

    An environment of the newest packages stays one when it is set up without `newest`.
    """
    check_python(sys.version_info[:2])
    stamp = venv / ".ready"
    done = state_of(stamp)
    flags = os.environ.get("CMAKE_ARGS", done.get("flags", "")).strip()
    packages = hashlib.sha256((HERE / "pyproject.toml").read_bytes()).hexdigest()
    kept = wheels(flags)
    versions = NEWEST if newest or done.get("versions") == NEWEST else hashlib.sha256(LOCK.read_bytes()).hexdigest()
    goal = {"flags": flags, "packages": packages, "python": version_of(sys.version_info), "wheel": kept.name}
    goal["versions"] = versions
    if done == goal and not newest:
        return
    if not built(kept):
        check_compiler()
    check_disk(venv.parent)
    steps = plan(venv, kept, flags, newest=versions == NEWEST)
    announce(venv, steps, newest=versions == NEWEST)
    began = time.monotonic()
    for number, step in enumerate(steps, 1):
        run(f"[{number}/{len(steps)}] {step.title}", step, LOG)
        stamp.write_text(json.dumps({"flags": flags, "versions": versions}), encoding="utf-8")
    stamp.write_text(json.dumps(goal), encoding="utf-8")
    print(f"Set up in {time.monotonic() - began:.0f} s; {venv} takes {size(venv) / 2**30:.1f} GiB.", flush=True)


def announce(venv: Path, steps: Sequence[Step], newest: bool) -> None:
    """Say what will be installed, for how long and in how much room, before anything is."""
    versions = "the newest versions that pyproject.toml allows" if newest else f"the versions of {LOCK.name}"
    seconds = sum(step.seconds for step in steps)
    print(
        f"Setting up {venv}: {', '.join(step.title for step in steps)}.\n"
        f"Packages of the extra [dev], in {versions}. About {-(-seconds // 60)} min on two cores, plus the downloads, and "
        f"{DISK_GIB} GiB ({CUDA_DISK_GIB} with PyTorch's CUDA libraries).",
        flush=True,
    )


def size(folder: Path) -> int:
    """Bytes of the files below a folder; a file with several names counts once."""
    files = {}
    for place, _, names in os.walk(str(folder)):
        for name in names:
            about = os.lstat(os.path.join(place, name))
            files[about.st_dev, about.st_ino] = about.st_size
    return sum(files.values())


def plan(venv: Path, kept: Path, flags: str, newest: bool = False) -> list[Step]:
    """The steps. What pip finds in place already, it leaves, so that a set-up that was broken off goes on."""
    python = venv / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    locked = ["--upgrade"] if newest else ["--constraint", str(LOCK)]
    steps = []
    if not python.exists() or python_of(venv) != version_of(sys.version_info):
        steps.append(Step("environment", [sys.executable, "-m", "venv", "--clear", str(venv)]))
    steps.append(Step("pip", [*pip, "install", *locked, "pip" if newest else pinned("pip")]))
    if newest or not built(kept):
        headers = str(HEADERS) if has_amx() else ""
        own = ["--no-cache-dir"] if flags or headers else []  # pip's cache does not tell such wheels apart
        where = ["--find-links", str(kept), "--wheel-dir", str(kept)]
        wheel = [*pip, "wheel", "--verbose", "--no-deps", *own, *where, llama_cpp() if newest else pinned("llama-cpp-python")]
        compiled = f"{LIBRARIES_ALONE} {flags}".strip()
        steps.append(Step("llama.cpp, compiled once (some minutes)", wheel, compiled, headers, seconds=400))
    local = ["--force-reinstall", "--no-deps", "--no-index", "--find-links", str(kept)]
    requirement = llama_cpp() if newest else pinned("llama-cpp-python")
    steps.append(Step("llama.cpp from its wheel", [*pip, "install", *local, requirement]))
    eager = [*locked, "--upgrade-strategy", "eager"] if newest else [*locked, "--build-constraint", str(LOCK)]
    steps.append(Step("packages", [*pip, "install", *eager, "--editable", f"{HERE}[dev]"], seconds=130))
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
    """Whether llama.cpp's wheel is there, in the version of the lock."""
    return any(kept.glob(f"llama_cpp_python-{pinned('llama-cpp-python').partition('==')[2]}-*.whl"))


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


def pinned(package: str) -> str:
    """The requirement of the lock for a package. Raises Missing where it has none."""
    line = re.search(rf"^{re.escape(package)}==\S+$", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    if line is None:
        raise Missing(f"{LOCK.name} does not name {package}.")
    return line.group()


def lock(venv: Path) -> None:
    """Write constraints.txt from what pip has installed in an environment. Raises Missing where there is none."""
    try:
        command = [str(venv / "bin" / "python"), "-m", "pip", "list", "--format", "json"]
        listing = subprocess.run(command, stdout=subprocess.PIPE)
        packages = {re.sub(r"[-_.]+", "-", p["name"]).lower(): p["version"] for p in json.loads(listing.stdout)}
    except (OSError, ValueError):
        raise Missing(f"pip lists nothing in {venv}. Set it up first: `make setup`.") from None
    lines = [f"{name}=={version.partition('+')[0]}" for name, version in sorted(packages.items()) if not OF_TORCH.match(name)]
    LOCK.write_text("\n".join([LOCK_HEAD, *lines, ""]), encoding="utf-8")
    print(f"{LOCK}: {len(lines)} packages")


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
