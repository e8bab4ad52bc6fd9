"""Install the wheel of dist/ into empty environments: `python -m tests.e2e.wheel`.

Without extras it comes without PyTorch and without a compiler, and does all that needs no model of this machine; with [all] it
runs the demo. llama.cpp is taken from pip's cache or from the folder that set-up keeps it in, else it is compiled.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from tests.helpers.light import Light

REPOSITORY = Path(__file__).resolve().parents[2]
LIGHT_S = 60
"""Seconds of processor time that the light installation may take; the clock's depend on line and load."""
HEAVY = ("torch", "transformers", "tokenizers", "safetensors", "llama-cpp-python", "gguf", "datasets", "trl", "peft")


def bootstrap() -> ModuleType:
    """The script of the set-up."""
    spec = importlib.util.spec_from_file_location("bootstrap", REPOSITORY / "bootstrap.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def clean_environment() -> dict[str, str]:
    """This environment without settings of ours and of Python's, and without any compiler's name."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("LRM_", "PYTHON"))}


def run(command: list[str], folder: Path, **variables: str) -> str:
    """Run a command far from the checkout, showing it and how long it took; its stdout. Exits where it fails."""
    began = time.monotonic()
    print(f"$ {' '.join(command)}", flush=True)
    environment = {**clean_environment(), **variables}
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    print(f"  {time.monotonic() - began:.0f} s", flush=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\nended with {done.returncode}")
    return done.stdout


def computed() -> float:
    """Seconds of processor time that commands have used so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def installed(folder: Path, requirement: str, *options: str, **variables: str) -> tuple[Path, float]:
    """Make an empty environment and install a requirement in the versions of the lock.

    Returns the environment's scripts and the seconds of processor time that pip took.
    """
    run([sys.executable, "-m", "venv", "venv"], folder)
    scripts = folder / "venv" / "bin"
    locked = ["--constraint", str(REPOSITORY / "constraints.txt"), *options]
    before = computed()
    run([str(scripts / "pip"), "install", "--quiet", "--disable-pip-version-check", *locked, requirement], folder, **variables)
    used = computed() - before
    where = run([str(scripts / "python"), "-c", "import core; print(core.__file__)"], folder)
    assert where.startswith(str(folder)), f"the checkout was run instead: {where}"
    return scripts, used


def check_light(wheel: Path, script: ModuleType) -> None:
    """Without extras: quickly, from wheels alone, and everything that needs no model of this machine works."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        scripts, used = installed(folder, str(wheel), "--only-binary", ":all:", CC="/bin/false", CXX="/bin/false")
        listed = run([str(scripts / "pip"), "list", "--format", "freeze"], folder).lower()
        assert not [name for name in HEAVY if f"{name}==" in listed], listed
        taken = script.size(folder / "venv") / 2**20
        print(f"Without extras: pip computed for {used:.0f} s; {taken:.0f} MiB.", flush=True)
        assert used < LIGHT_S, "that is no light installation any more"
        began = time.monotonic()
        home = {"HOME": place, "TERM": "xterm-256color"}
        (folder / "work").mkdir()
        Light([str(scripts / "lrm-tui")], {**clean_environment(), **home}, folder / "work").works()
        print(f"  it works, and refuses what it lacks: {time.monotonic() - began:.0f} s", flush=True)


def check_all(wheel: Path, script: ModuleType) -> None:
    """With [all]: the demo, a report, doctor."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        scripts, _ = installed(folder, f"{wheel}[all]", "--find-links", str(script.wheels("")))
        lrm = str(scripts / "lrm-tui")
        print(run([lrm, "--version"], folder), end="")
        print(run([lrm, "demo", "--headless", "--limit", "2"], folder), end="")
        run([lrm, "export", "report"], folder)
        run([lrm, "doctor"], folder)


def main() -> None:
    """The newest wheel, both ways; with `light` as the argument only without extras."""
    [wheel] = sorted((REPOSITORY / "dist").glob("lrm_tui-*.whl"), key=lambda file: file.stat().st_mtime)[-1:]
    script = bootstrap()
    check_light(wheel, script)
    if "light" not in sys.argv[1:]:
        check_all(wheel, script)
    print("The wheel works.")


if __name__ == "__main__":
    main()
