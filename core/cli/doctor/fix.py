"""doctor --fix: what is missing and can be mended without asking, each said before it is done."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from core.cli.doctor.privacy import exposed
from core.errors import LrmError
from core.runner.client import ensure_runner, status
from core.store.connection import opened
from core.store.watch import read
from core.text import printable

BOOTSTRAP = Path(__file__).resolve().parents[3] / "bootstrap.py"


@dataclass(frozen=True, slots=True)
class Repair:
    """Something to do: `what` says it in the imperative."""

    what: str
    do: Callable[[], object]


def fix(store: Path) -> None:
    """Do every repair in turn. What fails is said, and the others are done all the same."""
    done = 0
    for repair in repairs(store):
        done += 1
        print(printable(f"fix  {repair.what}"), file=sys.stderr, flush=True)
        try:
            repair.do()
        except (LrmError, OSError, subprocess.SubprocessError) as error:
            print(printable(f"     that failed: {error}"), file=sys.stderr)
    if not done:
        print("fix  nothing that can be done from here is missing", file=sys.stderr)


def repairs(path: Path) -> Iterator[Repair]:
    """What can be mended, each looked for only after those before it are done: packages, then folder, store, runner."""
    if missing := missing_packages():
        yield Repair(f"install {', '.join(missing)}", lambda: install(missing))
    if not path.parent.exists():
        yield Repair(f"make the folder {path.parent}", lambda: path.parent.mkdir(parents=True))
    yield from _permissions(path)
    if _waits_for_a_runner(path):
        yield Repair("start the runner, for which work is waiting", lambda: ensure_runner(path))


def missing_packages() -> list[str]:
    """The requirements of lrm-tui whose package is not installed, those of extras left out."""
    missing = []
    for requirement in requires("lrm-tui") or ():
        name = re.match(r"[\w.-]+", requirement)
        if name is None or "extra ==" in requirement:
            continue
        try:
            version(name.group())
        except PackageNotFoundError:
            missing.append(requirement)
    return missing


def install(requirements: list[str]) -> None:
    """Install packages into this environment: by set-up in a checkout, else by pip. Raises CalledProcessError."""
    ready = Path(sys.prefix, ".ready")
    if BOOTSTRAP.is_file() and ready.is_file():
        ready.unlink()
        command = [sys._base_executable, str(BOOTSTRAP), sys.prefix]  # type: ignore[attr-defined]
    else:
        command = [sys.executable, "-m", "pip", "install", *requirements]
    subprocess.run(command, check=True, stdout=sys.stderr)


def _permissions(path: Path) -> Iterator[Repair]:
    """The store is its owner's alone, and its owner may read and write it and its folder."""
    for place, needed in ((path.parent, stat.S_IRWXU), (path, stat.S_IRUSR | stat.S_IWUSR)):
        if not place.exists() or (state := place.stat()).st_uid != os.getuid():
            continue
        if state.st_mode & needed != needed:
            mode = stat.S_IMODE(state.st_mode) | needed
            yield Repair(f"let you read and write {place}", partial(place.chmod, mode))
    if open_ones := [place for place in exposed(path) if place.stat().st_uid == os.getuid()]:
        yield Repair(f"keep {path} and what lies beside it from other users", lambda: _close(open_ones))


def _close(places: list[Path]) -> None:
    for place in places:
        place.chmod(stat.S_IMODE(place.stat().st_mode) & ~0o077)


def _waits_for_a_runner(path: Path) -> bool:
    """Whether jobs are queued or running and nothing serves them."""
    try:
        if not path.is_file() or status(path).alive:
            return False
        with opened(path, "reader") as connection:
            return any(job.state in ("queued", "running") for job in read(connection).jobs)
    except LrmError:
        return False
