"""Install the wheel of dist/ into an empty environment and run the demo there: `python -m tests.e2e.wheel`.

llama.cpp is taken from pip's cache or from the folder that set-up keeps it in, else it is compiled.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def wheels_kept() -> Path:
    """The folder in which set-up keeps llama.cpp's wheel."""
    spec = importlib.util.spec_from_file_location("bootstrap", REPOSITORY / "bootstrap.py")
    assert spec and spec.loader
    bootstrap = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = bootstrap
    spec.loader.exec_module(bootstrap)
    kept: Path = bootstrap.wheels("")
    return kept


def run(command: list[str], folder: Path) -> str:
    """Run a command far from the checkout, showing it and how long it took; its stdout. Exits where it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LRM_", "PYTHON"))}
    began = time.monotonic()
    print(f"$ {' '.join(command)}", flush=True)
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    print(f"  {time.monotonic() - began:.0f} s", flush=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\nended with {done.returncode}")
    return done.stdout


def main() -> None:
    """The newest wheel, an empty environment, an empty folder."""
    [wheel] = sorted((REPOSITORY / "dist").glob("lrm_tui-*.whl"), key=lambda file: file.stat().st_mtime)[-1:]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        run([sys.executable, "-m", "venv", "venv"], folder)
        scripts = folder / "venv" / "bin"
        kept = ["--find-links", str(wheels_kept())]
        run([str(scripts / "pip"), "install", "--quiet", "--disable-pip-version-check", *kept, str(wheel)], folder)
        where = run([str(scripts / "python"), "-c", "import core; print(core.__file__)"], folder)
        assert where.startswith(str(folder)), f"the checkout was run instead: {where}"
        lrm = str(scripts / "lrm-tui")
        print(run([lrm, "--version"], folder), end="")
        print(run([lrm, "demo", "--headless", "--limit", "2"], folder), end="")
        run([lrm, "export", "report"], folder)
        run([lrm, "doctor"], folder)
    print("The wheel works.")


if __name__ == "__main__":
    main()
