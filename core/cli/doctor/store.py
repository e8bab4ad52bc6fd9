"""The checks of doctor on a store and its folder: the states in which a long run would fail."""

from __future__ import annotations

import getpass
import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

from core.cli.doctor.finding import Finding
from core.cli.doctor.privacy import keys, private
from core.cli.doctor.runner import recent_notices, runner_checks
from core.errors import LrmError
from core.files import address_space
from core.runner.client import status
from core.settings import load
from core.store.connection import opened, writable
from core.store.integrity import RUNNER_BYTES, quick_check
from core.store.mounts import file_system
from core.store.wal import LONG_BYTES, log_of, size, users

CHECKPOINT_BUG_ENDS = (3, 51, 3)
COMMAND_S = 10.0


def states(path: Path) -> Iterator[Finding]:
    """All checks of the store at `path`, which need not exist yet."""
    yield _place(path)
    yield _limits()
    yield _address_space()
    readable = _readable(path)
    yield readable
    if readable.ok and path.exists():
        yield _sound(path)
        yield _log(path)
        yield _writers(path)
        yield from runner_checks(path)
        yield from recent_notices(path)
        yield private(path)
        yield keys(path)
    yield _session(status(path).pid if readable.ok else None)
    yield _trusted()


def _place(path: Path) -> Finding:
    kind = file_system(path) or "of unknown type"
    if not path.parent.is_dir():
        return Finding("folder", False, f"{path.parent} does not exist", "Make it, or name another store with --db.")
    if not writable(path):
        remedy = "Name a store in a folder that you may write with --db or LRM_DB; this one can only be read."
        return Finding("folder", False, f"{path.parent} ({kind}) cannot be written", remedy)
    return Finding("folder", True, f"{path.parent} ({kind})")


def _limits() -> Finding:
    most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most == resource.RLIM_INFINITY:
        return Finding("file size", True, "no limit")
    remedy = "Raise it (`ulimit -f unlimited`) before the runner starts: a run pauses when its store reaches it."
    return Finding("file size", False, f"files may grow to {most:,} bytes", remedy, needed=False)


def _address_space() -> Finding:
    most = address_space.limit()
    if most is None:
        return Finding("memory limit", True, "none")
    detail = f"processes may map {most // 2**20:,} MiB (`ulimit -v`)"
    return Finding("memory limit", False, detail, address_space.RAISE, needed=most < address_space.LEAST)


def _readable(path: Path) -> Finding:
    try:
        with opened(path, "reader"):
            pass
        if path.exists() and writable(path):
            with opened(path, "user"):
                pass
    except FileNotFoundError:
        return Finding("store", True, f"{path} will be made at the first run")
    except LrmError as error:
        return Finding("store", False, error.message, error.remedy)
    return Finding("store", True, str(path))


def _sound(path: Path) -> Finding:
    length = size(path)
    if length > RUNNER_BYTES:
        remedy = f"To look through it: sqlite3 {path} 'PRAGMA integrity_check'"
        return Finding("integrity", True, f"not looked at, since the store holds {length / 2**30:.1f} GiB. {remedy}")
    with opened(path, "reader"):
        faults = quick_check(path, whole=True)
    remedy = "Stop the runner and put a backup in its place (`lrm-tui backup --help`)."
    return Finding("integrity", not faults, faults or "SQLite's integrity check finds nothing", remedy)


def _log(path: Path) -> Finding:
    grown = size(log_of(path))
    old = sqlite3.sqlite_version_info < CHECKPOINT_BUG_ENDS
    only = "; only the runner takes it in" + (f", as SQLite {sqlite3.sqlite_version} needs" if old else "")
    return Finding(
        "log", grown < LONG_BYTES, f"{grown / 2**20:.1f} MiB wait in the write-ahead log{only}",
        f"A reader does not let go of it: {_names(path)}. End that one.", needed=False)  # fmt: skip


def _writers(path: Path) -> Finding:
    """Whether the store can be written now, without writing."""
    if not writable(path):
        return Finding("writing", False, "not allowed here", "See the folder above.", needed=False)
    try:
        with opened(path, "user") as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except LrmError as error:
        return Finding("writing", False, error.message, f"Open on it: {_names(path)}. End the one that holds it.")
    return Finding("writing", True, "nobody holds the store")


def _names(path: Path) -> str:
    return ", ".join(f"{name} {pid}" for pid, name in users(path)) or "no process of this user"


def _session(pid: int | None) -> Finding:
    """Whether the system ends a user's processes when the last session ends (systemd-logind, KillUserProcesses)."""
    tool = shutil.which("loginctl")
    if tool is None:
        return Finding("logging out", True, "no systemd-logind here: a runner outlives the session")
    kills = _output_of([tool, "show-session", "--property=KillUserProcesses", "--value"])
    lingers = _output_of([tool, "show-user", getpass.getuser(), "--property=Linger", "--value"])
    if kills is None:
        return Finding("logging out", True, "systemd-logind does not answer: a runner outlives the session")
    if kills != "yes":
        return Finding("logging out", True, "systemd-logind lets processes live on (KillUserProcesses=no)")
    if lingers == "yes" and not _in_session(pid):
        return Finding("logging out", True, "systemd-logind ends your sessions, and the runner is in none of them")
    return Finding(
        "logging out", False, "systemd-logind ends all your processes when you log out (KillUserProcesses=yes), the runner too",
        f"Run `loginctl enable-linger {getpass.getuser()}` once, and start the runner with "
        "`systemd-run --user --scope lrm-tui runner start`.")  # fmt: skip


def _in_session(pid: int | None) -> bool:
    """Whether a process (None: this one) belongs to a login session, by its control group."""
    try:
        return "/session-" in Path(f"/proc/{pid or 'self'}/cgroup").read_text()
    except OSError:
        return False


def _output_of(command: list[str]) -> str | None:
    """What a command prints; None where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, stdin=subprocess.DEVNULL, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _trusted() -> Finding:
    try:
        folders = load(os.environ).general.trusted_models
    except LrmError as error:
        return Finding("settings", False, error.message, error.remedy)
    if not folders:
        return Finding("models' own code", True, "never runs")
    remedy = "Take folders out of `trusted_models` that you do not trust."
    return Finding("models' own code", False, f"may run from {', '.join(folders)}", remedy, needed=False)
