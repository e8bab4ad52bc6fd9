"""What doctor looks at: what is installed, which engines work, GPU, disk, data, store."""

from __future__ import annotations

import json
import platform
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from core.cli.doctor.finding import Finding
from core.cli.doctor.store import states
from core.engines.host.options import ENGINES
from core.errors import LrmError, install_command
from core.files.extras import MODULES, PURPOSE, missing
from core.jobs import engines
from core.jobs.models import EMBEDDED, INSTALLED, resolve
from core.runner.cluster.ray import check_installed
from core.settings import load

PACKAGES = (
    "textual", "rich", "torch", "transformers", "llama-cpp-python", "datasets", "sqlite-utils", "pandas", "gguf", "vllm"
)  # fmt: skip
EXTRA_OF_PACKAGE = {
    "torch": "local", "transformers": "local", "llama-cpp-python": "local", "gguf": "local", "datasets": "hub", "vllm": "vllm"
}  # fmt: skip
VLLM = "Optional; it lives in an environment of its own."
LOW_DISK = 5 * 2**30
PROBE_S = 120


def findings(store: Path, data: Path | None) -> Iterator[Finding]:
    """Every check in turn."""
    yield Finding("python", True, platform.python_version())
    yield Finding("sqlite", True, sqlite3.sqlite_version)
    for package in PACKAGES:
        yield _package(package)
    for extra in MODULES:
        yield _extra(extra)
    for engine in engines.names():
        yield _engine(engine)
    yield _gpu()
    yield executor()
    yield _disk(store.parent)
    yield from states(store)
    yield _data(data)
    for model in INSTALLED:
        yield _model(model)


def _package(name: str) -> Finding:
    try:
        return Finding(f"package {name}", True, version(name))
    except PackageNotFoundError:
        extra = EXTRA_OF_PACKAGE.get(name)
        return Finding(f"package {name}", False, "not installed", _remedy(extra), extra is None)


def _remedy(extra: str | None) -> str:
    """How to get what an extra brings; None: what every installation has."""
    if extra is None:
        return "Run `make setup`, or `lrm-tui doctor --fix`."
    return VLLM if extra == "vllm" else install_command(extra)


def _extra(name: str) -> Finding:
    """Whether all of an extra is installed here."""
    modules = missing(name)
    detail = f"no {', '.join(modules)}; it is for {PURPOSE[name]}" if modules else f"installed, for {PURPOSE[name]}"
    return Finding(f"extra {name}", not modules, detail, _remedy(name), needed=False)


def _engine(name: str) -> Finding:
    try:
        command = engines.command(name, load(), "--probe")
    except LrmError:  # the finding "settings" says why
        return Finding(f"engine {name}", False, "not tried, since the settings are not valid", needed=False)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_S, stdin=subprocess.DEVNULL, check=False)
        answer = json.loads(done.stdout.strip().splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired, IndexError, ValueError) as error:
        return Finding(f"engine {name}", False, f"{command[0]} does not run it: {error}", "Check the interpreter's path.")
    detail = f"{answer['version'] or ''} {answer['detail']}".strip()
    extra = ENGINES[name].extra
    optional = extra is not None and bool(missing(extra))
    return Finding(f"engine {name}", bool(answer["works"]), detail, _remedy(extra if optional else None), not optional)


def _gpu() -> Finding:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Finding("gpu", False, "no NVIDIA GPU seen; engines use the CPU", needed=False)
    query = [tool, "--query-gpu=name,memory.total,memory.free", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=PROBE_S, check=False)
    return Finding("gpu", done.returncode == 0, (done.stdout or done.stderr).strip(), "Check the driver.", needed=False)


def executor() -> Finding:
    """Whether what places the work is there."""
    try:
        general = load().general
    except LrmError:
        return Finding("executor", False, "unknown, since the settings are not valid", needed=False)
    if general.executor == "local":
        return Finding("executor", True, "local: this machine")
    try:
        check_installed()
    except LrmError as error:
        return Finding("executor", False, error.message, error.remedy)
    if not general.ray_address:
        return Finding("executor", True, f"ray {version('ray')}: one of this machine, started when it is needed")
    command = [sys.executable, "-P", "-m", "core.runner.cluster.ray", general.ray_address]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_S, stdin=subprocess.DEVNULL, check=False)
        answer = json.loads(done.stdout.strip().splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired, IndexError, ValueError) as error:
        return Finding("executor", False, f"ray at {general.ray_address} does not answer: {error}", "See `ray status`.")
    if "error" in answer:
        return Finding("executor", False, answer["error"], answer["remedy"])
    has = f"{answer['nodes']} machines, {answer['gpus']:g} GPUs, {answer['cpus']:g} CPUs"
    return Finding("executor", True, f"ray {answer['version']} at {general.ray_address}: {has}")


def _disk(folder: Path) -> Finding:
    if not folder.is_dir():
        return Finding("disk", False, f"{folder} does not exist", "Name another store with --db.")
    free = shutil.disk_usage(folder).free
    return Finding("disk", free > LOW_DISK, f"{free / 2**30:.0f} GiB free at {folder}", "Free some space.", needed=False)


def _data(folder: Path | None) -> Finding:
    if folder is None:
        return Finding("data", True, "no folder named; real benchmarks come from the Hugging Face hub")
    there = folder.is_dir()
    return Finding("data", there, f"{folder}{'' if there else ' does not exist'}", "Check --data or LRM_DATA.")


def _model(name: str) -> Finding:
    try:
        model = resolve(name)
    except LrmError as error:
        return Finding(f"model {name}", False, error.message, error.remedy, needed=name in EMBEDDED)
    there = Path(model.source).exists()
    return Finding(f"model {name}", there, str(model.source) if there else "its weights are missing", "Run `make pocket`.")
