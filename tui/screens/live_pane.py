"""Pane 2: the streams under way, and the text of the chosen one."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.widgets import DataTable, Static

from core.store.snapshot import StreamRow
from tui import keys
from tui.poller import StreamText
from tui.screens.pane import Pane
from tui.shown import lines, right, safe
from tui.widgets.stream import StreamView
from tui.widgets.table import Cells, Column, RowTable

COLUMNS = (
    Column("label", "Stream", 26, grow=True),
    Column("item", "Item", 12, drop=1),
    Column("tokens", "Tokens", 12, number=True),
    Column("length", "Chars", 7, drop=2, number=True),
    Column("mark", "State", 8),
    Column("resumed", "Resumed", 8, drop=3, number=True),
)


def mark(stream: StreamRow) -> str:
    """What a stream is doing."""
    if stream.loop:
        return "LOOP"
    return "loop?" if stream.suspicious else "thinking" if stream.thinking else "answer"


def _state(stream: StreamRow) -> str:
    loop = stream.loop
    if loop is None:
        return mark(stream)
    return f"LOOP × {loop.count:,}{', runs on (audit)' if loop.audited else ', stopped'}"


def cells(stream: StreamRow) -> Cells:
    """One line of the list of streams."""
    style = {"LOOP": "bold red", "loop?": "yellow", "thinking": "dim", "answer": "bold green"}[mark(stream)]
    return {
        "label": safe(stream.label),
        "item": safe(stream.item),
        "tokens": right(f"{stream.tokens}/{stream.limit}" if stream.limit else stream.tokens),
        "length": right(stream.length),
        "mark": safe(mark(stream), style),
        "resumed": right("" if stream.resumed_at is None else f"@{stream.resumed_at}"),
    }


class LivePane(Pane):
    """Up and down choose a stream; its text runs below."""

    BINDINGS = keys.bindings("live")
    chosen: int | None = None
    _job: int | None = None

    def compose(self) -> ComposeResult:
        """The list, a title line, and the text."""
        yield RowTable(COLUMNS, id="streams")
        yield Static(id="stream-title")
        yield StreamView(id="stream")

    @property
    def stream(self) -> StreamView:
        """The view of the chosen stream's text."""
        return self.query_one(StreamView)

    def prefer(self, job: int) -> None:
        """Choose a stream of this job at the next drawing."""
        self._job = job

    def draw(self) -> None:
        """Draw the list; follow the stream under the cursor."""
        streams = self.snapshot.streams if self.snapshot else ()
        self.table.sync([(str(stream.response_id), cells(stream)) for stream in streams])
        wanted = next((stream for stream in streams if stream.job_id == self._job), None)
        if wanted is not None:
            self.table.select(str(wanted.response_id))
            self._job = None
        self._choose()

    @on(DataTable.RowHighlighted)
    def _choose(self) -> None:
        key = self.table.selected
        if key is not None and int(key) != self.chosen:
            self.chosen = int(key)
            self.stream.start()
            self.owner.poller.follow(self.chosen)
        self._title()

    def _title(self) -> None:
        streams = self.snapshot.streams if self.snapshot else ()
        stream = next((s for s in streams if s.response_id == self.chosen), None)
        held = "" if self.stream.follow else " · held still (f follows)"
        early = f" · {self.stream.dropped} earlier lines are in the store" if self.stream.dropped else ""
        if stream is not None:
            text = f"{stream.label} · {_state(stream)}{self._saved(stream.job_id)}{held}{early}"
        elif self.chosen is not None:
            text = f"Response {self.chosen} has finished{held}{early}"
        else:
            text = "Nothing streams at the moment. Text appears here as soon as a run generates."
        self.query_one("#stream-title", Static).update(lines(text, "bold" if stream else "dim"))
        if stream is not None and stream.loop is not None:
            self.stream.loop(stream.loop)

    def _saved(self, job_id: int) -> str:
        jobs = self.snapshot.jobs if self.snapshot else ()
        saved = next((job.tokens_saved for job in jobs if job.id == job_id), 0)
        return f" · {saved:,} tokens saved" if saved else ""

    def receive(self, message: StreamText) -> None:
        """Add text of the chosen stream."""
        if message.response_id != self.chosen:
            return
        if message.first:
            self.stream.start()
            self._title()  # a loop that is known already is folded from where it was seen
        self.stream.append(message.text)
        self._title()
        if message.final:
            self.stream.finish()

    def action_follow(self) -> None:
        """Follow the end, or hold still."""
        self.stream.follow = not self.stream.follow
        if self.stream.follow:
            self.stream.scroll_end(animate=False)
        self._title()

    def action_page(self, step: int) -> None:
        """Page through the text."""
        self.stream.page(step)
        self._title()
