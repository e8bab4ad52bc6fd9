"""Where jobs run side by side: a lane works on one job at a time, with GPUs of its own or with none.

A lane keeps its engine loaded, and its GPUs, for the next run of the same variant. The jobs that need no GPU share one lane,
so that they do not compete for processors and memory.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core import gpus
from core.engines.catalog import FORMATS, WITHOUT_WEIGHTS
from core.errors import NO_ROOM, PASSING, LeaseLost, LrmError, StoreDamaged
from core.evaluation import Evaluation
from core.hosts import Hosts
from core.preparation import prepare
from core.settings import load
from core.store.writes import RunnerStore

log = logging.getLogger("lrm.runner")


class Lane:
    """One engine at most, and a thread while a job is under way. `fault` is what the job has met and could not store."""

    def __init__(self, store: RunnerStore, folder: Path, lease: gpus.Lease, ended: Callable[[], None]) -> None:
        self._store, self._folder, self._ended = store, folder, ended
        self.lease = lease
        self.hosts = Hosts(store, folder / "logs", lease.environment())
        self.job: dict[str, Any] | None = None
        self.fault: Exception | None = None
        self.idle_since = time.monotonic()
        self._thread: threading.Thread | None = None

    def start(self, job: dict[str, Any]) -> None:
        """Begin a job; `ended` is called when it has come to its end, whichever."""
        self.job = job
        self._thread = threading.Thread(target=self._run, args=(job,), name=f"job {job['id']}", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a job is under way, or one that the store refused waits to be put back."""
        return self.job is not None

    def close(self) -> None:
        """Wait for the job, which ends when the store is asked to stop; then end the engine and give the GPUs back."""
        if self._thread is not None:
            self._thread.join()
        self.hosts.close()
        self.lease.release()

    def _run(self, job: dict[str, Any]) -> None:
        try:
            self._work(job)
            self.job = None
        except Exception as error:  # noqa: BLE001 - the runner decides, which knows whether the store can be written again
            self.fault = error
        self.idle_since = time.monotonic()
        self._ended()

    def _work(self, job: dict[str, Any]) -> None:
        number = int(job["id"])
        log.info("job %d: %s %s %s", number, job["kind"], job["compression"], job["benchmark"] or "")
        try:
            if job["kind"] == "prepare":
                state = prepare(self._store, job, self._folder / "variants", self._folder / "logs", self.lease.environment())
                if state == "done":
                    return
            else:
                state = Evaluation(self._store, self.hosts, job).run()
            self._store.end_job(number, state)
        except (LeaseLost, StoreDamaged, *PASSING):
            raise
        except LrmError as error:
            log.error("job %d failed: %s", number, error)
            self.hosts.close()
            self._store.end_job(number, "failed", error.message, error.remedy)
        except Exception as error:  # noqa: BLE001 - the queue goes on whatever one job does
            log.error("job %d failed:\n%s", number, traceback.format_exc())
            self.hosts.close()
            reason = f"{type(error).__name__}: {error}"
            no_room = isinstance(error, OSError) and error.errno in NO_ROOM
            defect = f"This is a defect: report it with {self._folder / 'runner.log'}."
            self._store.end_job(number, "failed", reason, "Free some space, then requeue." if no_room else defect)


class Lanes:
    """All lanes of a runner. Jobs start in the order of the queue: one that waits for GPUs is not overtaken to them."""

    def __init__(self, store: RunnerStore, folder: Path) -> None:
        self._store, self._folder = store, folder
        self.changed = threading.Event()
        self.lanes: list[Lane] = []

    @property
    def busy(self) -> bool:
        """Whether any job is under way."""
        return any(lane.busy for lane in self.lanes)

    def fill(self) -> None:
        """Start every job that can start now."""
        waiting = set[bool]()
        jobs = self._store.startable()
        total = len(gpus.present()) if jobs else 0
        for job in jobs:
            needed = needs(job, total)
            if (needed > 0) in waiting:
                continue
            if needed > total:
                self._refuse(job, needed, total)
            elif (lane := self._lane(job, needed)) is None:
                waiting.add(needed > 0)
                self._store.say(job["id"], f"waits for {needed} GPU{'s' * (needed > 1)}" if needed else "")
            elif (claimed := self._store.claim(job["id"])) is not None:
                lane.start(claimed)

    def faults(self) -> list[Lane]:
        """The lanes whose job the store has refused to go on with."""
        return [lane for lane in self.lanes if lane.fault is not None]

    def retire(self, idle_s: float = 0.0) -> None:
        """End the engines of lanes that have been idle for so long."""
        for lane in [lane for lane in self.lanes if not lane.busy and time.monotonic() - lane.idle_since >= idle_s]:
            lane.close()
            self.lanes.remove(lane)

    def close(self) -> None:
        """End everything; jobs under way end first, as the store is asked to stop."""
        for lane in self.lanes:
            lane.close()
        self.lanes = []

    def _lane(self, job: Mapping[str, Any], needed: int) -> Lane | None:
        """An idle lane with so many GPUs, best the one that has the variant loaded; None where the job must wait."""
        fitting = [lane for lane in self.lanes if len(lane.lease.names) == needed]
        idle = sorted((lane for lane in fitting if not lane.busy), key=lambda lane: not lane.hosts.serves(job))
        if idle and (idle[0].hosts.serves(job) or needed == 0):
            return idle[0]
        if needed == 0 and fitting:
            return None
        lease = gpus.take(needed)
        while lease is None and (spare := [lane for lane in self.lanes if not lane.busy and lane.lease.names]):
            spare[0].close()
            self.lanes.remove(spare[0])
            lease = gpus.take(needed)
        return None if lease is None else self._opened(lease)

    def _refuse(self, job: Mapping[str, Any], needed: int, total: int) -> None:
        if self._store.claim(job["id"]) is not None:
            error = f"It needs {needed} GPUs, and there are {total or 'none'}."
            self._store.end_job(job["id"], "failed", error, "Add it with fewer --gpus, or name the GPUs in the setting `gpus`.")

    def _opened(self, lease: gpus.Lease) -> Lane:
        lane = Lane(self._store, self._folder, lease, self.changed.set)
        self.lanes.append(lane)
        return lane


def needs(job: Mapping[str, Any], total: int) -> int:
    """How many GPUs a job takes: as many as it was added with, else one where there are any and its engine uses them."""
    if job["gpus"] is not None:
        return int(job["gpus"])
    if total == 0:
        return 0
    if job["kind"] == "prepare":
        return 1
    engine = str(job["engine"])
    options = load().options(engine)
    if FORMATS[engine] in WITHOUT_WEIGHTS or options.get("gpu_layers") == 0 or options.get("device") == "cpu":
        return 0
    return int(options.get("tensor_parallel") or 1) * int(options.get("pipeline_parallel") or 1)
