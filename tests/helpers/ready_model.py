"""The embedded model as a GGUF file, made once for all tests of a session: a run of it has nothing to prepare."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from filelock import FileLock

REPOSITORY = Path(__file__).resolve().parents[2]
MADE = ("add", "--model", "pocket", "--benchmark", "pocket-facts", "--limit", "1", "--wait")
_SESSION = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()  # workers are children of the session
_FOLDER = Path(tempfile.gettempdir()) / f"lrm-tui-ready-{_SESSION}"


@cache
def ready_model() -> str:
    """The path of `pocket.gguf`, which the first worker that asks for it makes."""
    _FOLDER.mkdir(exist_ok=True)
    path = _FOLDER / "pocket.gguf"
    with FileLock(_FOLDER / "lock"):
        if not path.exists():
            _make(path)
    return str(path)


def remove_ready_model() -> None:
    """Remove it at the end of the session."""
    shutil.rmtree(_FOLDER, ignore_errors=True)


def _make(path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LRM_")} | {"PYTHONPATH": str(REPOSITORY)}
    with tempfile.TemporaryDirectory() as folder:
        for command in (MADE, ("runner", "stop")):
            whole = [sys.executable, "-m", "tui.entry", *command]
            subprocess.run(whole, cwd=folder, env=environment, check=True, capture_output=True)
        (made,) = (Path(folder) / ".lrm-tui").rglob("*.gguf")
        shutil.move(made, path)
