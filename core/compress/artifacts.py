"""A folder of artifacts: the files of variants, each beside a JSON record of its facts.

They are made under temporary names and renamed when complete. `.partial-PID-NAME` belongs to a process and is removed once
that has ended. `.unfinished-NAME` is resumed by the next attempt (pruned layers, a training checkpoint); it is removed when
the job is cancelled.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.compress.facts import Facts
from core.errors import CompressionError
from core.files.content import sha256
from core.files.locks import try_lock

Vector = NDArray[np.float32]

_PARTIAL = ".partial-"
_UNFINISHED = ".unfinished-"
_LOCK_TIMEOUT_S = 10.0


class DiskFull(CompressionError):
    """There is no room for an artifact."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A variant on disk with its facts. `sparsity` in the facts is that of the weights before they were quantized."""

    path: Path
    facts: Facts


class ArtifactFolder:
    """One folder of artifacts, locked by the process that writes to it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: int | None = None
        self._unfinished: Path | None = None

    def open(self) -> None:
        """Lock the folder and remove partial files of processes that were killed.

        Raises CompressionError where another process has it, OSError.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = self._folder.with_name(f"{self._folder.name}.lock")
        deadline = time.monotonic() + _LOCK_TIMEOUT_S  # an orphan ends as soon as it sees that its runner is gone
        while (descriptor := try_lock(lock)) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        self._lock = descriptor
        if descriptor is None:
            raise CompressionError(f"Another worker is at work in {self._folder}.", "Let it end, then requeue.")
        for path in self._folder.glob(f"{_PARTIAL}*"):
            if not _alive(int(path.name.removeprefix(_PARTIAL).split("-")[0])):
                remove(path)

    def close(self) -> None:
        """Unlock the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def clear(self, *, everything: bool) -> None:
        """Remove this process's partial files; with `everything`, also the unfinished artifact, which could be resumed."""
        for path in self._folder.glob(f"{_PARTIAL}{os.getpid()}-*"):
            remove(path)
        if everything and self._unfinished is not None:
            remove(self._unfinished)

    def make(
        self,
        name: str,
        room: int,
        work: Callable[[Path], None],
        measure: Callable[[Path], Facts],
        record: Callable[[Facts], str],
        *,
        resumable: bool,
    ) -> Artifact:
        """The artifact of a name: the one on disk if it matches its record, else what `work` writes to a temporary path.

        `room` is the bytes that it needs. With `resumable`, `work` finds at its path what an earlier attempt has left.
        Raises DiskFull, OSError, and what `work` and `measure` raise.
        """
        target = self._folder / name
        note = target.with_name(f"{name}.json")
        known = _recorded(target, note)
        if known is not None:
            return Artifact(target, known)
        remove(note)
        remove(target)
        temporary = self._folder / f"{_UNFINISHED}{name}" if resumable else self._partial(name)
        self._check_room(room - _size(temporary))
        self._unfinished = temporary if resumable else None
        work(temporary)
        known = measure(temporary)
        _sync(temporary)
        temporary.rename(target)
        self._unfinished = None
        self._write(note, lambda file: file.write_text(record(known), encoding="utf-8"))
        return Artifact(target, known)

    def arrays(self, name: str, work: Callable[[], dict[str, Vector]]) -> dict[str, Vector]:
        """Named vectors, each [columns]: read from the file `name`, or made by `work` and saved there. Raises OSError."""
        file = self._folder / name
        try:
            with np.load(file) as stored:
                return dict(stored)
        except (OSError, ValueError, EOFError):
            vectors = work()

        def write(temporary: Path) -> None:
            with temporary.open("wb") as output:
                np.savez(output, **vectors)  # type: ignore[arg-type]

        self._write(file, write)
        return vectors

    def _write(self, target: Path, write: Callable[[Path], object]) -> None:
        temporary = self._partial(target.name)
        write(temporary)
        _sync(temporary)
        temporary.rename(target)

    def _partial(self, name: str) -> Path:
        temporary = self._folder / f"{_PARTIAL}{os.getpid()}-{name}"
        remove(temporary)
        return temporary

    def _check_room(self, room: int) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < room:
            raise DiskFull(
                f"{self._folder} has {free:,} bytes free, and this step needs {room:,}.",
                "Free some space or move the folder.",
            )


def _recorded(target: Path, note: Path) -> Facts | None:
    """The facts of an artifact; None where it is missing, incomplete or changed."""
    try:
        recorded = Facts(**json.loads(note.read_text(encoding="utf-8"))["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return recorded if target.exists() and sha256(target) == recorded.sha256 else None


def _size(temporary: Path) -> int:
    """Bytes that an earlier attempt has written."""
    return sum(file.stat().st_size for file in temporary.rglob("*") if file.is_file()) if temporary.is_dir() else 0


def _sync(path: Path) -> None:
    """Flush a file or folder to disk, before it gets its final name."""
    for file in [path, *path.iterdir()] if path.is_dir() else [path]:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
