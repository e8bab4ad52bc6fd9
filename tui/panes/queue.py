"""Pane 1: the queue, and what may be asked of it."""

from __future__ import annotations

from functools import cached_property, partial

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.widgets import DataTable, Static

from core.errors import LrmError
from core.store.connection import opened
from core.store.snapshot import JobRow
from tui import keys
from tui.dialogs.basic import Confirm, Note
from tui.panes.pane import Pane
from tui.shown import STATE_STYLES, duration, eta, job_name, lines, number, progress, right, safe, variant
from tui.widgets.table import Cells, Column, RowTable

PROGRESS = 10
COLUMNS = (
    Column("id", "Job", 3, drop=2, number=True),
    Column("state", "State", 9),
    Column("variant", "Variant", 19, grow=True),
    Column("benchmark", "Benchmark", 17),
    Column("progress", "Progress", PROGRESS),
    Column("speed", "Tok/s", 5, drop=5, number=True),
    Column("eta", "ETA", 5, drop=4, number=True),
    Column("loops", "Loop", 4, drop=3, number=True),
    Column("gpu", "GPU", 4, drop=6),
    Column("engine", "Engine", 12, drop=7),
    Column("message", "Message", 24, drop=8, grow=True),
)
FIRST = """Press n to choose models, compressions and benchmarks: the embedded model
is chosen already, so ctrl+s starts a first run that takes seconds.
Then 2 shows its tokens as they come, and 3 the scores.

? lists the keys, ctrl+p finds a command by name."""
READ_ONLY = "This screen is read-only: open another without --readonly to queue runs."


def cells(job: JobRow, gpus: str = "") -> Cells:
    """One line of the queue; `gpus` names the GPUs that its engine uses."""
    state = f"{job.state[:6]}→{job.wanted[:2]}" if job.wanted else job.state
    return {
        "id": right(job.id),
        "state": safe(state, STATE_STYLES.get(job.state, "")),
        "variant": safe(variant(job)),
        "benchmark": safe(job.benchmark or "(preparation)"),
        "progress": progress(job.done, job.total, PROGRESS),
        "speed": right(number(job.tokens_per_second, 0)) if job.state == "running" else safe(""),
        "eta": right(eta(job)) if job.state == "running" else safe(""),
        "loops": right(job.loops or "", "bold red"),
        "gpu": safe(gpus),
        "engine": safe(job.engine or ""),
        "message": safe(job.error or job.message, "red" if job.error else ""),
    }


class QueuePane(Pane, can_focus=True):
    """Jobs in their order, finished ones last."""

    BINDINGS = keys.bindings("queue")
    _watched: int | None = None

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._lines: dict[int, tuple[JobRow, str, Cells]] = {}

    def compose(self) -> ComposeResult:
        """The table, the empty state, and a line about the job under the cursor."""
        yield RowTable(COLUMNS, id="jobs")
        yield Static(id="empty")
        yield Static(id="about")

    def draw(self) -> None:
        """Draw the latest queue."""
        jobs = self.snapshot.jobs if self.snapshot else ()
        self._lines = {job.id: self._line(job) for job in jobs}
        self.table.sync([(str(job), line[2]) for job, line in self._lines.items()])
        self.table.display = bool(jobs)
        empty = self.query_one("#empty", Static)
        empty.display = not jobs
        if not jobs:
            there = "The queue is empty." if self.snapshot else f"There is no store yet at {self.owner.store}."
            empty.update(lines(f"{there}\n\n{READ_ONLY if self.owner.readonly else FIRST}"))
        if self.screen.focused in (None, self, self.table):
            self.focus_keys()
        self._go_on()
        self._about()

    def _line(self, job: JobRow) -> tuple[JobRow, str, Cells]:
        """A job and its cells, those of last time where nothing of it has changed."""
        gpus, before = self._gpus(job), self._lines.get(job.id)
        return before if before and before[:2] == (job, gpus) else (job, gpus, cells(job, gpus))

    def _gpus(self, job: JobRow) -> str:
        """Where a running engine is: the numbers of its GPUs, the processor, or somewhere on a cluster."""
        machine = self.owner.machine
        if machine is None or job.pid is None:
            return ""
        return ",".join(map(str, machine.gpus_of.get(job.pid, ()))) or self._without_gpu

    @cached_property
    def _without_gpu(self) -> str:
        from core.settings import load

        try:
            return "ray" if load().general.executor == "ray" else "cpu"
        except LrmError:
            return "cpu"

    def _go_on(self) -> None:
        """A cursor on the running job goes on to the next one, which is the first line, when it has finished.

        So does one on the job that is about to run: a short one may never be seen running.
        """
        job = self._job()
        if job is not None and job.id == self._watched and job.state == "done":
            self.table.move_cursor(row=0, animate=False)
            job = self._job()
            self._watched = job.id if job else None
        elif job is None or job.id != self._watched:
            first = self.table.cursor_row == 0
            self._watched = job.id if job and (job.state == "running" or (first and job.state == "queued")) else None

    def focus_keys(self) -> None:
        """The table takes the keys; without rows the pane itself does."""
        wanted = self.table if self.table.display else self
        if not wanted.has_focus:
            wanted.focus()

    def show(self) -> None:
        """Come to the front."""
        self.draw()
        self.focus_keys()

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        """The cursor is elsewhere, or for the first time anywhere: the rows come after the first drawing."""
        self._go_on()
        self._about()

    def _about(self) -> None:
        job = self._job()
        self.query_one("#about", Static).update(about(job) if job else Text())

    def _job(self) -> JobRow | None:
        key = self.table.selected
        jobs = self.snapshot.jobs if self.snapshot else ()
        return next((job for job in jobs if str(job.id) == key), None)

    def action_new_run(self) -> None:
        """Open the form."""
        from tui.dialogs.new_run import NewRun

        self.app.push_screen(NewRun(self.owner.store, self.owner.data), self.owner.queued)

    def action_clone(self) -> None:
        """Open the form, filled in from the run under the cursor."""
        if job := self._job():
            self._clone(job.id)

    @work(thread=True, exclusive=True, group="clone")
    def _clone(self, job: int) -> None:
        from core.jobs import queue
        from tui.dialogs.new_run import NewRun

        try:
            with opened(self.owner.store, "reader") as connection:
                spec = queue.spec_of(connection, job)
        except LrmError as error:
            self.app.call_from_thread(self.owner.tell, error)
            return
        form = NewRun(self.owner.store, spec.data or self.owner.data, spec)
        self.app.call_from_thread(self.app.push_screen, form, self.owner.queued)

    def action_cancel(self) -> None:
        """Ask by name, then cancel."""
        from core.jobs import queue

        job = self._job()
        if job is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.owner.ask(partial(queue.cancel, job=job.id))

        self.app.push_screen(Confirm(f"Cancel {job_name(job)}?", "Its finished responses stay."), answered)

    def action_pause(self) -> None:
        """Hold the job back, or let a paused one go on."""
        from core.jobs import queue

        if job := self._job():
            self.owner.ask(partial(queue.toggle, job=job.id), serve=job.state == "paused")

    def action_requeue(self) -> None:
        """Let the job go on."""
        from core.jobs import queue

        if job := self._job():
            self.owner.ask(partial(queue.requeue, job=job.id), serve=True)

    def action_move(self, step: int) -> None:
        """Swap the job with its neighbour."""
        from core.jobs import queue

        if job := self._job():
            self.owner.ask(partial(queue.move, job=job.id, step=step))

    def action_open(self) -> None:
        """Go where the job can be seen: its error, its streams or its responses."""
        job = self._job()
        if job is None:
            return
        if job.error or job.kind == "prepare":
            self.action_error()
        elif job.state == "running":
            self.owner.show_streams(job.id)
        else:
            self.owner.show_responses(job.id)

    def action_error(self) -> None:
        """The job's message and error as a whole."""
        if job := self._job():
            self.app.push_screen(Note(job_name(job), about(job)))


def about(job: JobRow) -> Text:
    """What happened to a job, and what to do next."""
    took = duration(job.finished - job.started) if job.started and job.finished else ""
    shown = lines(f"{job_name(job)} · {job.state}" + (f" after {took}" if took else ""))
    if job.message:
        shown.append_text(lines(f" · {job.message}"))
    if job.error:
        shown.append_text(lines(f"\n{job.error}", "red"))
    if job.remedy:
        shown.append_text(lines(f" {job.remedy}"))
    return shown
