"""Pane 1: the queue and its actions."""

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
from tui.dialogs.messages import Confirm, Note
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
    """The cells of one job; `gpus` names the GPUs that its engine uses."""
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
            state = "The queue is empty." if self.snapshot else f"There is no store yet at {self.workbench.store}."
            empty.update(lines(f"{state}\n\n{READ_ONLY if self.workbench.readonly else FIRST}"))
        if self.screen.focused in (None, self, self.table):
            self.focus_keys()
        self._follow_running()
        self._about()

    def _line(self, job: JobRow) -> tuple[JobRow, str, Cells]:
        """A job with its cells; an unchanged job keeps the cells it had."""
        gpus, before = self._gpus(job), self._lines.get(job.id)
        return before if before and before[:2] == (job, gpus) else (job, gpus, cells(job, gpus))

    def _gpus(self, job: JobRow) -> str:
        """Where a job's engine runs: the numbers of its GPUs, `cpu`, or `ray` for a cluster."""
        machine = self.workbench.machine
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

    def _follow_running(self) -> None:
        """Move the cursor to the first row, the next job, when the job under it has finished.

        This applies to a running job, and to the first queued one: a short job may never be seen running.
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
        """Focus the table, or the pane itself where there are no rows."""
        target = self.table if self.table.display else self
        if not target.has_focus:
            target.focus()

    def show(self) -> None:
        """Draw the pane and focus it."""
        self.draw()
        self.focus_keys()

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        """The cursor has moved, or has come to its first row."""
        self._follow_running()
        self._about()

    def _about(self) -> None:
        job = self._job()
        self.query_one("#about", Static).update(about(job) if job else Text())

    def _job(self) -> JobRow | None:
        key = self.table.selected
        jobs = self.snapshot.jobs if self.snapshot else ()
        return next((job for job in jobs if str(job.id) == key), None)

    def action_new_run(self) -> None:
        """Open the form for new runs."""
        from tui.dialogs.new_run import NewRun

        self.app.push_screen(NewRun(self.workbench.store, self.workbench.data), self.workbench.queued)

    def action_clone(self) -> None:
        """Open the form, filled in from the run under the cursor."""
        if job := self._job():
            self._clone(job.id)

    @work(thread=True, exclusive=True, group="clone")
    def _clone(self, job: int) -> None:
        from core.jobs import queue
        from tui.dialogs.new_run import NewRun

        try:
            with opened(self.workbench.store, "reader") as connection:
                spec = queue.spec_of(connection, job)
        except LrmError as error:
            self.app.call_from_thread(self.workbench.tell, error)
            return
        form = NewRun(self.workbench.store, spec.data or self.workbench.data, spec)
        self.app.call_from_thread(self.app.push_screen, form, self.workbench.queued)

    def action_cancel(self) -> None:
        """Cancel the job after a question that names it."""
        from core.jobs import queue

        job = self._job()
        if job is None:
            return
        if job.state not in ("queued", "paused", "running"):  # it is refused, so there is nothing to ask
            self.workbench.change_store(partial(queue.cancel, job=job.id))
            return

        def on_answer(yes: bool | None) -> None:
            if yes:
                self.workbench.change_store(partial(queue.cancel, job=job.id))

        self.app.push_screen(Confirm(f"Cancel {job_name(job)}?", "Its finished responses stay."), on_answer)

    def action_pause(self) -> None:
        """Pause the job, or resume a paused one."""
        from core.jobs import queue

        if job := self._job():
            self.workbench.change_store(partial(queue.toggle, job=job.id), serve=job.state == "paused")

    def action_requeue(self) -> None:
        """Queue a paused, failed or cancelled job again."""
        from core.jobs import queue

        if job := self._job():
            self.workbench.change_store(partial(queue.requeue, job=job.id), serve=True)

    def action_move(self, step: int) -> None:
        """Swap the job with its neighbour."""
        from core.jobs import queue

        if job := self._job():
            self.workbench.change_store(partial(queue.move, job=job.id, step=step))

    def action_open(self) -> None:
        """Show the job's error, its streams or its responses."""
        job = self._job()
        if job is None:
            return
        if job.error or job.kind == "prepare":
            self.action_error()
        elif job.state == "running":
            self.workbench.show_streams(job.id)
        else:
            self.workbench.show_responses(job.id)

    def action_error(self) -> None:
        """Show the job's whole message and error."""
        if job := self._job():
            self.app.push_screen(Note(job_name(job), about(job)))


def about(job: JobRow) -> Text:
    """A job's state, message, error and remedy."""
    took = duration(job.finished - job.started) if job.started and job.finished else ""
    shown = lines(f"{job_name(job)} · {job.state}" + (f" after {took}" if took else ""))
    if job.message:
        shown.append_text(lines(f" · {job.message}"))
    if job.error:
        shown.append_text(lines(f"\n{job.error}", "red"))
    if job.remedy:
        shown.append_text(lines(f" {job.remedy}"))
    return shown
