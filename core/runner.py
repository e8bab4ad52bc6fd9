"""The runner: claims jobs in their order and drives each to its end. One a store, in a session of its own."""

from __future__ import annotations

import logging
import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from core.errors import NO_ROOM, LeaseLost, LrmError, RunnerRunning, StoreBusy, StoreError, StoreFull
from core.evaluation import Evaluation
from core.hosts import Hosts
from core.preparation import prepare
from core.processes import end_marked, end_process, owner, process_start
from core.store.connection import runner_lock, work_folder
from core.store.locks import patient_lock
from core.store.writes import RunnerStore

IDLE_S = 0.3
HOST_IDLE_S = 20.0
RETIRE_S = 300.0
RETRY_S = 2.0

log = logging.getLogger("lrm.runner")


class Runner:
    """Serves one store until it is asked to stop, loses its lease, or has had nothing to do for five minutes."""

    def __init__(self, path: Path) -> None:
        self.folder = work_folder(path)
        self._lock_file = runner_lock(path)
        lock = patient_lock(self._lock_file)
        if lock is None:
            raise RunnerRunning(f"A runner serves {path} already.", "`lrm-tui runner status` shows it.")
        self._lock = lock
        self.store = RunnerStore(path)
        self.hosts = Hosts(self.store, self.folder / "logs")
        self._stopping = False

    def serve(self) -> None:
        """Work until the end; whatever happens, no engine is left behind."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            self._patiently(self._take_over)
            self._loop()
        except LeaseLost as error:
            log.warning("%s", error)
        finally:
            self._end()

    def _take_over(self) -> None:
        """Become the owner, and end what a killed runner has left: marked as this lock's, or known by pid and start."""
        left = self.store.take_over(process_start(os.getpid()) or 0.0)
        ended = end_marked(owner(self._lock_file))
        ended += [pid for pid, started in left if end_process(pid, started)]
        for pid in ended:
            log.warning("ended process %d, left by a killed runner", pid)

    def _end(self) -> None:
        """Leave no engine behind, and a word in the store if it takes one: it may be full, or another runner's by now."""
        try:
            self.hosts.close()
            self.store.retire()
        except StoreError as error:
            log.warning("%s", error)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self.store.stop_asked = True

    def _loop(self) -> None:
        idle_since = time.monotonic()
        while not (self._stopping or self.store.wishes(None)[0]):
            try:
                job = self.store.claim()
                if job is not None:
                    self._work(job)
                    self._digest()
                    idle_since = time.monotonic()
                    continue
            except (StoreBusy, StoreFull) as error:
                self._pause(error)
                self._patiently(self._put_back, after=error.message)
                continue
            idle = time.monotonic() - idle_since
            if idle > HOST_IDLE_S:
                self.hosts.close()
            if idle > RETIRE_S:
                return
            time.sleep(IDLE_S)

    def _digest(self) -> None:
        """Pack what the tables need of the runs that have ended."""
        from core.analysis.digests import keep  # numpy, which a runner without work does without

        keep(self.store.connection, self.store.fenced)

    def _patiently(self, write: Callable[[], None], after: str = "") -> None:
        """Repeat a write until the store, which may be full or held, takes it, and say so if it refused one before."""
        while not self._stopping:
            try:
                write()
                if after:
                    self.store.notice("warning", f"Went on after: {after}")
                return
            except (StoreBusy, StoreFull) as error:
                self._pause(error)
                after = error.message

    def _pause(self, error: StoreError) -> None:
        log.warning("%s", error)
        time.sleep(RETRY_S)

    def _put_back(self) -> None:
        """Nothing acknowledged is lost: the job goes back into the queue with its tokens."""
        self.hosts.close()
        self.store.put_back()

    def _work(self, job: dict[str, Any]) -> None:
        number = int(job["id"])
        log.info("job %d: %s %s %s", number, job["kind"], job["compression"], job["benchmark"] or "")
        try:
            if job["kind"] == "prepare":
                state = prepare(self.store, job, self.folder / "variants", self.folder / "logs")
                if state == "done":
                    return
            else:
                state = Evaluation(self.store, self.hosts, job).run()
            self.store.end_job(number, state)
        except (LeaseLost, StoreBusy, StoreFull):
            raise
        except LrmError as error:
            log.error("job %d failed: %s", number, error)
            self.hosts.close()
            self.store.end_job(number, "failed", error.message, error.remedy)
        except Exception as error:  # noqa: BLE001 - the queue goes on whatever one job does
            log.error("job %d failed:\n%s", number, traceback.format_exc())
            self.hosts.close()
            reason = f"{type(error).__name__}: {error}"
            no_room = isinstance(error, OSError) and error.errno in NO_ROOM
            defect = f"This is a defect: report it with {self.folder / 'runner.log'}."
            self.store.end_job(number, "failed", reason, "Free some space, then requeue." if no_room else defect)
