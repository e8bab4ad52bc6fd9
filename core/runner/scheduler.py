"""The scheduler: which jobs run at the same time, and on which resources.

A lane works on one job at a time, with GPUs of its own or with none. It keeps its engines loaded, and its GPUs, for the next
run of the same variant. Jobs that need no GPU share one lane, so that they do not compete for processors and memory. On a
cluster Ray schedules: a lane is opened for each job, in the order of the queue, until one has to wait for resources.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import NO_ROOM, PASSING, LeaseLost, LrmError, StoreDamaged
from core.jobs.engines import FORMATS, WITHOUT_WEIGHTS
from core.runner import gpus
from core.runner.allocation import Allocation
from core.runner.cluster.shares import Cluster, RayShare
from core.runner.current_settings import CurrentSettings
from core.runner.engine_process import EngineProcess
from core.runner.inputs import PromptChanged
from core.runner.prepare import Preparer
from core.runner.questions import preload
from core.runner.run import Run
from core.runner.weights import Weights, WeightsChanged
from core.settings import General, Settings
from core.spec import PrepareJob, RunJob
from core.store.runner_store import RunnerStore

log = logging.getLogger("lrm.runner")
FULL = "waits for room on the cluster, behind another job"


@dataclass(frozen=True, slots=True)
class Resources:
    """What a job needs: `replicas` allocations of `gpus` GPUs each (None on a cluster: one where there are any).

    `span`: GPUs on several machines of the cluster that each engine allocates itself.
    """

    replicas: int
    gpus: int | None
    cluster: bool = False
    span: int = 0


class Lane:
    """Engines for one job at a time, and the job's thread. `fault` is an error that could not be stored."""

    def __init__(
        self,
        store: RunnerStore,
        folder: Path,
        resources: Resources,
        allocations: Sequence[Allocation],
        ended: Callable[[], None],
    ) -> None:
        self._store, self._folder, self._ended = store, folder, ended
        self.resources, self.allocations = resources, allocations
        self._wake, self._put_back = threading.Event(), threading.Event()
        logs = folder / "logs"
        self.engines = [EngineProcess(store, logs, each, self._wake, number) for number, each in enumerate(allocations)]
        without_gpus = resources.gpus == 0 and not resources.cluster  # an idle worker would hold GPU memory
        self._preparer = Preparer(store, logs, allocations[0], stays=without_gpus)
        self.job: PrepareJob | RunJob | None = None
        self.fault: Exception | None = None
        self.idle_since = time.monotonic()
        self._thread: threading.Thread | None = None

    def start(self, job: PrepareJob | RunJob, settings: Settings) -> None:
        """Begin a job under the settings that hold now; `ended` is called when it ends, however it ends."""
        self.job = job
        self._put_back.clear()
        self._thread = threading.Thread(target=self._run, args=(job, settings), name=f"job {job.id}", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a job is running, or failed to be stored and waits to be put back into the queue."""
        return self.job is not None

    @property
    def waits(self) -> bool:
        """Whether its job still waits for an allocation."""
        return self.busy and any(allocation.waits for allocation in self.allocations)

    def put_back(self) -> None:
        """Send its run, which still waits for its first allocation, back into the queue."""
        self._put_back.set()

    def serves(self, job: PrepareJob | RunJob) -> bool:
        """Whether the variant of a run is loaded, with its engine."""
        return all(engine.serves(job) for engine in self.engines)

    def end_engines(self) -> None:
        """End the engines and the worker, so that their memory comes back."""
        for engine in self.engines:
            engine.close()
        self._preparer.close()

    def close(self) -> None:
        """Wait for the job, which ends when the store is asked to stop; then end the engines and release the allocations."""
        if self._thread is not None:
            self._thread.join()
        self.end_engines()
        for allocation in self.allocations:
            allocation.release()

    def _run(self, job: PrepareJob | RunJob, settings: Settings) -> None:
        try:
            self._work(job, settings)
            self.job = None
        except Exception as error:  # noqa: BLE001 - the runner decides, which knows whether the store can be written again
            self.fault = error
        self.idle_since = time.monotonic()
        self._ended()

    def _work(self, job: PrepareJob | RunJob, settings: Settings) -> None:
        number = job.id
        work = f"run {job.compression} {job.benchmark}" if isinstance(job, RunJob) else f"prepare {job.compression} "
        log.info("job %d: %s", number, work)
        try:
            if not Weights(self._store, job).settle():
                self._store.end_job(number, "queued")
                return
            if isinstance(job, PrepareJob):
                state = self._preparer.prepare(job, self._folder, settings)
                if state == "done":
                    return
            else:
                if not any(isinstance(other, PrepareJob) for other in self._store.startable()):
                    self._preparer.close()
                state = Run(self._store, self.engines, job, settings, self._wake, self._put_back).run()
            self._store.end_job(number, state)
        except (LeaseLost, StoreDamaged, *PASSING):
            raise
        except (WeightsChanged, PromptChanged) as error:
            log.warning("job %d waits: %s", number, error)
            self.end_engines()
            self._store.end_job(number, "paused", error.message, error.remedy)
        except LrmError as error:
            log.error("job %d failed: %s", number, error)
            self.end_engines()
            self._store.end_job(number, "failed", error.message, error.remedy)
        except Exception as error:  # noqa: BLE001 - the queue goes on whatever one job does
            log.error("job %d failed:\n%s", number, traceback.format_exc())
            self.end_engines()
            reason = f"{type(error).__name__}: {error}"
            no_room = isinstance(error, OSError) and error.errno in NO_ROOM
            defect = f"This is a defect: report it with {self._folder / 'runner.log'}."
            self._store.end_job(number, "failed", reason, "Free some space, then requeue." if no_room else defect)


class Scheduler:
    """All lanes of a runner. Jobs start in queue order: no job takes GPUs that an earlier one waits for."""

    def __init__(self, store: RunnerStore, folder: Path) -> None:
        self._store, self._folder = store, folder
        self._cluster = Cluster(store, folder)
        self._settings = CurrentSettings(store)
        self.changed = threading.Event()
        self.lanes: list[Lane] = []

    @property
    def busy(self) -> bool:
        """Whether any job is under way."""
        return any(lane.busy for lane in self.lanes)

    @property
    def at_work(self) -> list[int]:
        """The jobs that lanes work at."""
        return [lane.job.id for lane in self.lanes if lane.job is not None]

    def fill(self) -> None:
        """Start every job that can start now."""
        waiting = set[tuple[bool, bool]]()
        jobs = self._store.startable()
        returns = self._make_room()
        if not jobs:
            return
        if returns:
            waiting |= {(True, True)}
        settings = self._settings.now()
        if settings is None:
            for job in jobs:
                self._store.set_message(job.id, "waits for valid settings")
            return
        total = len(gpus.present(settings.general))
        for job in jobs:
            resources = resources_of(job, total, settings)
            needed = resources.replicas * (resources.gpus or 0)
            queue = (resources.cluster, needed > 0 or resources.cluster)
            if queue in waiting:
                continue
            if needed > total and not resources.cluster:
                self._refuse(job, resources, total)
            elif (lane := self._lane(job, resources, settings.general)) is None:
                waiting.add(queue)
                if isinstance(job, RunJob) and not self._store.kept(job.id).planned:
                    preload(job)
                local = f"waits for {needed} GPU{'s' * (needed > 1)}" if needed else ""
                self._store.set_message(job.id, FULL if resources.cluster else local)
            elif self._store.claim(job.id):
                lane.start(job, settings)

    def faults(self) -> list[Lane]:
        """The lanes whose job met an error that could not be stored."""
        return [lane for lane in self.lanes if lane.fault is not None]

    def retire(self, idle_s: float = 0.0) -> None:
        """End the engines of lanes that have been idle for so long."""
        self._close([lane for lane in self.lanes if not lane.busy and time.monotonic() - lane.idle_since >= idle_s])

    def close(self) -> None:
        """End everything; jobs under way end first, as the store is asked to stop."""
        for lane in self.lanes:
            lane.close()
        self.lanes = []
        self._cluster.close()

    def _lane(self, job: PrepareJob | RunJob, resources: Resources, general: General) -> Lane | None:
        """An idle lane with these resources, preferably one that has the variant loaded; None where the job must wait."""
        idle = [lane for lane in self.lanes if lane.resources == resources and not lane.busy]
        idle.sort(key=lambda lane: not lane.serves(job))
        if idle and (idle[0].serves(job) or (resources.gpus == 0 and not resources.cluster)):
            return idle[0]
        if resources.cluster:
            return self._lane_on_cluster(resources)
        if not resources.gpus:
            if any(lane.busy for lane in self._own(without=True)):
                return None
            self._close(self._own(without=True))
        lease = gpus.take(resources.replicas * (resources.gpus or 0), general)
        while lease is None and (spare := [lane for lane in self._own(without=False) if not lane.busy]):
            self._close(spare[:1])
            lease = gpus.take(resources.replicas * (resources.gpus or 0), general)
        return None if lease is None else self._opened(resources, lease.split(resources.replicas))

    def _make_room(self) -> bool:
        """Free cluster resources for a run that waits: it gets an idle engine of its variant, else idle engines are ended.

        Returns whether a run is about to return to the queue to get such an engine.
        """
        idle = [lane for lane in self.lanes if lane.resources.cluster and not lane.busy]
        waiting = [lane for lane in self.lanes if lane.waits]
        for lane in waiting:
            nothing_yet = all(allocation.waits for allocation in lane.allocations)
            if nothing_yet and lane.job and any(one.resources == lane.resources and one.serves(lane.job) for one in idle):
                lane.put_back()
                return True
        self._close(idle if waiting else [])
        return False

    def _lane_on_cluster(self, resources: Resources) -> Lane | None:
        """A new lane, or None while an earlier job waits for resources of the cluster."""
        if any(lane.waits for lane in self.lanes):
            return None
        return self._opened(
            resources, [RayShare(self._cluster, resources.gpus, resources.span) for _ in range(resources.replicas)]
        )

    def _own(self, without: bool) -> list[Lane]:
        """The lanes of this machine with GPUs, or those without."""
        return [lane for lane in self.lanes if not lane.resources.cluster and (not lane.resources.gpus) == without]

    def _close(self, lanes: Sequence[Lane]) -> None:
        for lane in lanes:
            lane.close()
            self.lanes.remove(lane)

    def _refuse(self, job: PrepareJob | RunJob, resources: Resources, total: int) -> None:
        if self._store.claim(job.id):
            each = f" ({resources.replicas} replicas of {resources.gpus})" if resources.replicas > 1 else ""
            error = f"It needs {resources.replicas * (resources.gpus or 0)} GPUs{each}, and there are {total or 'none'}."
            self._store.end_job(job.id, "failed", error, "Add it with fewer --gpus, or name the GPUs in the setting `gpus`.")

    def _opened(self, resources: Resources, allocations: Sequence[Allocation]) -> Lane:
        lane = Lane(self._store, self._folder, resources, allocations, self.changed.set)
        self.lanes.append(lane)
        return lane


def resources_of(job: PrepareJob | RunJob, total: int, settings: Settings) -> Resources:
    """What to allocate for a job, where this machine has `total` GPUs.

    What a server computes needs nothing of a cluster, and the key to it stays on this machine.
    """
    run = job if isinstance(job, RunJob) else None
    if settings.general.executor != "ray" or (run and FORMATS[run.engine] == "server"):
        return Resources(job.replicas, gpus_needed(job, total, settings))
    if run and settings.options(run.engine).get("spans_nodes"):
        return Resources(job.replicas, 0, True, requested_gpus(job, settings) or 1)
    return Resources(job.replicas, requested_gpus(job, settings), True)


def gpus_needed(job: PrepareJob | RunJob, total: int, settings: Settings) -> int:
    """How many of `total` GPUs each engine of a job gets: the job's own number, else what the settings of its engine imply."""
    if job.gpus is None and total == 0:
        return 0
    count = requested_gpus(job, settings)
    return 1 if count is None else count


def requested_gpus(job: PrepareJob | RunJob, settings: Settings) -> int | None:
    """The number of GPUs that a job requests for each engine; None: one if there are any."""
    if job.gpus is not None:
        return job.gpus
    if isinstance(job, PrepareJob):
        return None
    options = settings.options(job.engine)
    if FORMATS[job.engine] in WITHOUT_WEIGHTS or options.get("gpu_layers") == 0 or options.get("device") == "cpu":
        return 0
    count = int(options.get("tensor_parallel") or 1) * int(options.get("pipeline_parallel") or 1)
    return count if count > 1 else None
