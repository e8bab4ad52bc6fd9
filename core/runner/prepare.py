"""Preparations: a child process makes or measures the weights of variants and reports on lines."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from core.compress.calibration import uses_hub
from core.compress.messages import CANCEL, Failed, Made, Message, decode
from core.compress.recipes import parse
from core.errors import CompressionError, ModelError
from core.jobs.requirements import check_preparation
from core.runner.allocation import Allocation, ChildCommand
from core.runner.child import TRIES, Child, ChildDied, child_id
from core.settings import General, Settings
from core.spec import STATE_AFTER, JobState, PrepareJob
from core.store.columns import ArtifactFacts
from core.store.runner_store import RunnerStore


class Preparer:
    """Makes variants one after the other in one allocation.

    With `stays` the worker is kept for the next preparation, which saves seconds of imports. It is not kept where the job
    fetches from the hub, since offline mode is decided at its start, or trains, which leaves memory allocated.
    """

    def __init__(self, store: RunnerStore, logs: Path, allocation: Allocation, *, stays: bool) -> None:
        self._store, self._logs, self._allocation, self._stays = store, logs, allocation, stays
        self._child: Child[Message] | None = None

    def prepare(self, job: PrepareJob, work: Path, settings: Settings) -> JobState:
        """Make a variant for the store with the folder `work`. Returns the state that the job ends in.

        Raises ModelError, CompressionError, MissingExtra, or EngineError where nothing can be allocated for the worker.
        """
        check_preparation(job.compression, settings)
        for _ in range(TRIES):
            try:
                return self._once(job, work, settings)
            except ChildDied as death:
                last = death
                warning = f"The worker of job {job.id} died and is started again."
                self._store.notice("warning", warning, job=job.id)
        raise CompressionError(
            f"The worker died {TRIES} times ({last}).",
            "See its log beside the store, then requeue.",
        )

    def close(self) -> None:
        """End the worker, so that its memory comes back."""
        child, self._child = self._child, None
        if child is not None:
            child.close()
            self._store.host_ended(child.process.pid)

    def _once(self, job: PrepareJob, work: Path, settings: Settings) -> JobState:
        stays, state = self._stays and _stays(job), None
        if not stays:
            self.close()
        try:
            out = variants(work, settings.general)
            child = self._begin(job, ["--out-dir", str(out), *(["--stay"] if stays else [])], settings.general)
            self._store.host_started(child.process.pid, child.started, job.id)
            state = _follow(self._store, job, child, self._allocation)
            return state
        finally:
            if not (stays and state == "done"):
                self.close()

    def _begin(self, job: PrepareJob, where: list[str], general: General) -> Child[Message]:
        """The worker, after it was given this job."""
        log = self._logs / f"prepare-{job.id}.log"
        arguments = ["--model", job.source, "--format", job.format, "--compression", job.compression]
        arguments += [*where, "--store", str(self._store.path)]
        if self._child is not None:
            self._child.log_to(log)
            self._child.send(json.dumps(arguments) + "\n")
            return self._child
        command = [sys.executable, "-P", "-m", "core.compress.worker", *arguments]
        files = (command[0], job.source)
        worker = ChildCommand(command, files=files, local_only=_local_only(job, general))
        line, environment = self._allocation.child(worker, general)
        self._child = Child(line, decode, log, environment, child_id(self._store, job.id))
        return self._child


def _stays(job: PrepareJob) -> bool:
    recipe = parse(job.compression)
    hub = recipe.calibrated and uses_hub(Path(job.source), recipe.calibration)
    return not hub and recipe.distillation is None


def variants(work: Path, general: General) -> Path:
    """The folder of variants: the setting `variants_folder`, else one in the store's work folder."""
    shared = general.variants_folder
    return Path(shared).expanduser() if shared else work / "variants"


def _local_only(job: PrepareJob, general: General) -> bool:
    """Whether the job must run on the store's machine, because it reads the store or writes variants beside it.

    SQLite's write-ahead log uses shared memory, so a store can only be read on its own machine.
    """
    recipe = parse(job.compression)
    text = recipe.calibration.source if recipe.calibration else ""
    reads_store = recipe.distillation is not None or text == "traces" or text.startswith("text-")
    return reads_store or not general.variants_folder


def _facts(made: Made) -> ArtifactFacts:
    return ArtifactFacts(
        path=made["path"],
        stamp=made["stamp"],
        sha256=made["sha256"],
        model_stamp=made["model_stamp"],
        model_sha256=made["model_sha256"],
        bytes=made["bytes"],
        parameters=made["parameters"],
        bits_per_weight=made["bits_per_weight"],
        sparsity=made["sparsity"],
    )


def _failure(failed: Failed) -> Exception:
    """The error to raise for a worker that cannot go on; one that was lost is started again."""
    if failed["kind"] == "lost":
        return ChildDied(failed["message"])
    kind = ModelError if failed["kind"] == "model" else CompressionError
    return kind(failed["message"], failed.get("remedy", ""))


def _follow(store: RunnerStore, job: PrepareJob, child: Child[Message], allocation: Allocation) -> JobState:
    while True:
        for message in child.receive(0.5):
            if message is None:
                raise ChildDied(child.obituary())
            if message["type"] == "waiting":
                allocation.waits = bool(message["message"])
                store.set_message(job.id, message["message"])
            elif message["type"] == "progress":
                store.progress(job.id, message["done"], message["total"], message["message"])
            elif message["type"] == "artifact":
                store.artifact_ready(job.id, job.artifact_id, _facts(message))
                return "done"
            else:
                raise _failure(message)
        store.heartbeat()
        stop, request = store.requests(job.id)
        if request == "cancel":
            child.send(CANCEL.decode() + "\n")
        if stop or request:
            return STATE_AFTER[request]
