"""The runner: claims jobs in queue order and runs each to its end. There is one for each store, in a session of its own."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from core.errors import PASSING, LeaseLost, RunnerRunning, StoreDamaged, StoreError
from core.files.locks import lock_with_retries
from core.runner.processes import end_left, owner, process_start
from core.runner.scheduler import Lane, Scheduler
from core.store.connection import make_private, runner_lock, translated, work_folder
from core.store.identity import hold, note_file
from core.store.runner_store import RunnerStore

IDLE_S = 0.3
BUSY_S = 1.0  # how long a new job may wait for a free lane while others work
HOST_IDLE_S = 20.0
RETIRE_S = 300.0
RETRY_S = 2.0
UNWRITTEN = "How this job ended could not be written."

log = logging.getLogger("lrm.runner")


class Runner:
    """Serves one store until it is asked to stop, loses its lease, or has had nothing to do for five minutes."""

    def __init__(self, path: Path) -> None:
        self.folder = work_folder(path)
        self._lock_file = runner_lock(path)
        lock = lock_with_retries(self._lock_file)
        if lock is None:
            raise RunnerRunning(f"A runner serves {path} already.", "`lrm-tui runner status` shows it.")
        self._lock = lock
        with translated(path):
            make_private(path)
            self._file = hold(path)
            note_file(lock, path)
        self.store = RunnerStore(path)
        self.scheduler = Scheduler(self.store, self.folder)
        self._stopping = self.log_lost = False

    def serve(self) -> None:
        """Run the queue until told to stop; every engine is ended, whatever happens."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            self._retry(self._take_over)
            self._loop()
        except (LeaseLost, StoreDamaged) as error:
            log.warning("%s", error)
        finally:
            self._end()

    def _take_over(self) -> None:
        """Become the owner, and end the processes of a killed runner."""
        engines = self.store.take_over(process_start(os.getpid()) or 0.0)
        for pid in end_left(owner(self._lock_file), engines):
            log.warning("ended process %d, left by a killed runner", pid)

    def _end(self) -> None:
        """End all engines and record the end in the store, unless it is full or owned by another runner."""
        self.store.stop_requested = True
        for step in (self.store.leave, self.scheduler.close, self._leave):
            try:
                step()
            except StoreError as error:
                log.warning("%s", error)

    def _leave(self) -> None:
        if self.store.moved():
            self.store.leave_moved()
        elif self.store.log_lost():
            self.log_lost = True
            log.warning("%s", self.store.save_log())
        else:
            self.store.retire()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self.store.stop_requested = True
        threading.Thread(target=self.scheduler.changed.set).start()  # the interrupted code may hold the event's own lock

    def _loop(self) -> None:
        idle_since, refused = time.monotonic(), False
        while not (self._stopping or self.store.requests(None)[0]):
            ended = self.scheduler.changed.is_set()
            self.scheduler.changed.clear()
            try:
                for lane in self.scheduler.faults():
                    self._put_back(lane)
                if refused:
                    self.store.put_back_others(self.scheduler.at_work)
                    refused = False
                self.store.heartbeat()
                self.scheduler.fill()
                self.scheduler.retire(HOST_IDLE_S)
                if ended:
                    self._cache_summaries()
                if ended or self.scheduler.busy:
                    idle_since = time.monotonic()
                elif time.monotonic() - idle_since > RETIRE_S and self.store.leave(if_idle=True):
                    return
            except PASSING as error:
                self._pause(error)
                refused = True
                continue
            if not self.scheduler.busy:
                self._settle()
            self.scheduler.changed.wait(BUSY_S if self.scheduler.busy else IDLE_S)

    def _settle(self) -> None:
        """Keep the file whole by itself while nothing runs: it may be moved or copied without its log."""
        try:
            self.store.settle()
        except PASSING as error:
            log.warning("%s", error)

    def _cache_summaries(self) -> None:
        """Cache the summaries of runs that have ended."""
        from core.results.summary_cache import cache_ended  # imports numpy, which an idle runner does not need

        cache_ended(self.store.connection, self.store.fenced)

    def _retry(self, write: Callable[[], None], after: str = "") -> None:
        """Retry a write until it succeeds (the disk may be full, the store locked), and notify users if it failed before."""
        while not self._stopping:
            try:
                write()
                if after:
                    self.store.notice("warning", f"Went on after: {after}")
                return
            except PASSING as error:
                self._pause(error)
                after = error.message

    def _pause(self, error: StoreError) -> None:
        log.warning("%s", error)
        time.sleep(RETRY_S)

    def _put_back(self, lane: Lane) -> None:
        """Return the job of a failed lane to the queue with its stored tokens once the store can be written; fail one whose end
        cannot be written at any time, so that the next job starts."""
        job, fault = lane.job, lane.fault
        assert job is not None and fault is not None
        if isinstance(fault, (LeaseLost, StoreDamaged)):
            raise fault

        def write() -> None:
            lane.end_engines()
            if isinstance(fault, PASSING):
                self.store.put_back(job.id)
            else:
                self.store.end_job(job.id, "failed", UNWRITTEN, f"Report it with {self.folder / 'runner.log'}, then requeue.")

        if isinstance(fault, PASSING):
            self._pause(fault)
            self._retry(write, after=fault.message)
        else:
            log.error("job %d: its end could not be written", job.id, exc_info=fault)
            self._retry(write)
        lane.job = lane.fault = None
