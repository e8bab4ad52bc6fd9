"""The wheel holds everything that a run needs, and nothing but our packages; without extras it does what needs no model here.

`make check-dist` is the long form, in empty environments.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from core.files.extras import MODULES
from core.runner.client import stop_runner
from tests.helpers.light import Light

REPOSITORY = Path(__file__).resolve().parents[2]
OURS = ("core", "tui", "benchmarks")
BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {modules}:
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what git tracks, as a release is."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    if not (REPOSITORY / ".git").exists():
        pytest.skip("this is no checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if name.startswith("docs/") or not (REPOSITORY / name).is_file():
            continue
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((REPOSITORY / name).read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    if "No matching distribution" in done.stdout + done.stderr or "Temporary failure" in done.stdout + done.stderr:
        pytest.skip("setuptools cannot be fetched for the build")
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


def test_every_file_that_git_tracks_is_in_it(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    listed = subprocess.run(["git", "ls-files", *OURS], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert packed == {name for name in listed.splitlines() if (REPOSITORY / name).is_file()}


def test_it_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Unpacked elsewhere, with this environment's libraries: a run of the embedded model, and the paper's numbers."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    folder = tmp_path / "work"
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LRM_")}
    environment["PYTHONPATH"] = str(tmp_path / "site")

    def lrm(*arguments: str) -> str:
        command = [sys.executable, "-P", "-m", "tui.entry", *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    try:
        lrm("add", "--model", "pocket", "--benchmark", "pocket-facts", "--limit", "1", "--wait")
        rows = json.loads(lrm("scores", "--published", "--json"))
    finally:
        stop_runner(folder / "runs.db")
    assert {row["origin"] for row in rows} == {"measured", "published", "recorded"}
    show = "import core, tui; print(core.__file__, tui.__file__)"
    done = subprocess.run([sys.executable, "-P", "-c", show], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.stdout.count(str(tmp_path)) == 2


def test_without_extras_everything_but_local_work_is_done(tmp_path: Path) -> None:
    """In every process that is started from here, the modules of all extras cannot be imported."""
    blocker, folder = tmp_path / "blocker", tmp_path / "work"
    blocker.mkdir()
    folder.mkdir()
    modules = sorted({module for extra in MODULES.values() for module in extra})
    (blocker / "sitecustomize.py").write_text(BLOCKER.format(modules=modules), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LRM_")}
    environment |= {
        "PYTHONPATH": f"{blocker}{os.pathsep}{REPOSITORY}",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "TERM": "xterm-256color",
    }
    Light([sys.executable, "-P", "-m", "tui.entry"], environment, folder).works()
