"""Whether a job's weights are still those that the store names: asked before it starts, at each load and at its end.

Sizes and times of the files come first; only where these differ from what was measured are the files hashed. A run that has
responses never goes on with other weights, one that has none becomes a run of the new content.
"""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import LrmError, ModelError
from core.files.content import model_files, sha256, stamp
from core.jobs.engines import WITHOUT_WEIGHTS
from core.spec import PrepareJob, RunJob
from core.store.content_writes import Content
from core.store.runner_store import RunnerStore

Files = dict[Path, tuple[int, int]]
"""Inode and time of the last write (ns) of each file."""


class WeightsChanged(LrmError):
    """A run under way cannot go on, since its weights are others now; it waits for the user's decision."""


class Weights:
    """The files that one job reads."""

    def __init__(self, store: RunnerStore, job: PrepareJob | RunJob) -> None:
        self._store, self._job = store, job
        self._files: Files = {}

    def settle(self) -> bool:
        """Whether the job can start. Where not, it, and what else has nothing yet, was queued behind a preparation.

        Raises WeightsChanged for a run that has responses of other weights.
        """
        content = self._store.content(self._job.id)
        if content.model_format in WITHOUT_WEIGHTS:
            return True
        if content.begun_with is None and (changed := self._changed_source(content)) is not None:
            self._store.move_to_content(self._job.id, content, *changed)
            return False
        if isinstance(self._job, PrepareJob) or content.path is None:
            return True
        path = Path(content.path)
        if not path.exists() and content.path != content.source:
            self._store.make_again(self._job.id, content, f"{path} is gone and is made again.")
            return False
        if self._is_same(path, content.stamp, content.sha256, content.artifact):
            self._check_begun(content, content.sha256)
            return True
        if content.begun_with is None and content.path != content.source:
            self._store.make_again(self._job.id, content, f"{path} is not what was made before, and is made again.")
            return False
        self._check_begun(content, None)
        return True

    def check(self) -> Files:
        """The files as they are now, asked before an engine loads and when it has loaded: equal answers mean that it read them.

        Raises WeightsChanged where they differ from those that the run began with.
        """
        content = self._store.content(self._job.id)
        if content.model_format in WITHOUT_WEIGHTS or content.path is None:
            return {}
        path = Path(content.path)
        if not self._is_same(path, content.stamp, content.sha256, content.artifact):
            raise _changed(path)
        self._files = _written(path)
        return self._files

    def written_since(self) -> bool:
        """Whether a file that an engine of this run may have mapped was written into since it was loaded."""
        now = {file: (status.st_ino, status.st_mtime_ns) for file in self._files if (status := _status(file)) is not None}
        return any(now[file][0] == inode and now[file][1] != at for file, (inode, at) in self._files.items() if file in now)

    def _changed_source(self, content: Content) -> tuple[str, str] | None:
        """Hash and stamp of the model's files where they are not what was measured; None where they are, or are away."""
        source = Path(content.source)
        if content.model_sha256 is None or not source.exists():
            return None
        found = stamp(source)
        if found == content.model_stamp:
            return None
        hashed = sha256(source)
        if hashed == content.model_sha256:
            self._store.confirm_model(content.model, found)
            return None
        return hashed, found

    def _is_same(self, path: Path, known_stamp: str | None, known_sha256: str | None, artifact: int) -> bool:
        """Whether files are as they were measured. What this machine cannot see (a cluster's) is not judged."""
        if known_sha256 is None or not path.exists():
            return True
        found = stamp(path)
        if found == known_stamp:
            return True
        if sha256(path) != known_sha256:
            return False
        self._store.confirm_artifact(artifact, found)
        return True

    def _check_begun(self, content: Content, now: str | None) -> None:
        if content.begun_with is not None and content.begun_with != now:
            raise _changed(Path(content.path or content.source))


def _changed(path: Path) -> WeightsChanged:
    return WeightsChanged(
        f"{path} holds other weights than those that this run began with.",
        "Restore the files and requeue the run, or clone it: a new run measures the new weights under a name of their own.",
    )


def _written(path: Path) -> Files:
    """Inode and time of the last write of each of a model's files."""
    try:
        files = model_files(path)
    except ModelError:
        return {}
    return {file: (status.st_ino, status.st_mtime_ns) for file in files if (status := _status(file)) is not None}


def _status(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None
