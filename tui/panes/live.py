"""Pane 2: the streams under way, and the text of the chosen one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.widgets import Static

from core.collapse.repetition import LEVELS
from core.store.snapshot import StreamRow
from tui import keys
from tui.meter import Sample
from tui.panes.pane import Pane
from tui.poller import StreamText
from tui.shown import lines, number, right, safe, spark
from tui.widgets.finder import Finder
from tui.widgets.gauges import Gauges
from tui.widgets.lazy_table import LazyTable
from tui.widgets.stream import StreamView
from tui.widgets.table import Cells, Column

COLUMNS = (
    Column("item", "Item", 12, drop=3),
    Column("variant", "Variant", 12, grow=True),
    Column("benchmark", "Benchmark", 12, drop=2, grow=True),
    Column("tokens", "Tokens", 12, number=True),
    Column("speed", "Tok/s", 5, drop=4, number=True),
    Column("novelty", "Novelty", 12),
    Column("mark", "State", 6),
    Column("length", "Chars", 7, drop=5, number=True),
    Column("resumed", "Resumed", 8, drop=6, number=True),
)
MARKS = {"run": "", "think": "dim", "answer": "bold green", "loop?": "yellow", "LOOP": "bold red"}
EMPTY = """Nothing streams at the moment.

Text appears here as soon as a run generates.
1 goes to the queue, where n queues runs."""


def mark(stream: StreamRow) -> str:
    """What a stream is doing."""
    if stream.loop:
        return "LOOP"
    if stream.suspicious:
        return "loop?"
    return "run" if not stream.tokens and not stream.length else "think" if stream.thinking else "answer"


def cells(stream: StreamRow) -> Cells:
    """One line of the list of streams."""
    shown = mark(stream)
    return {
        "item": safe(stream.item),
        "variant": safe(stream.variant),
        "benchmark": safe(stream.benchmark),
        "tokens": right(f"{stream.tokens}/{stream.limit}" if stream.limit else stream.tokens),
        "speed": right(number(stream.speed, 0 if (stream.speed or 0) >= 10 else 1)),
        "novelty": safe(spark(stream.novelty, 12, LEVELS), "red" if stream.loop else "cyan"),
        "mark": safe(shown, MARKS[shown]),
        "length": right(stream.length),
        "resumed": right("" if stream.resumed_at is None else f"@{stream.resumed_at}"),
    }


class LivePane(Pane):
    """Up and down choose a stream; its text runs below."""

    BINDINGS = keys.bindings("live")

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.chosen: int | None = None
        self.paused = False
        self._job: int | None = None
        self._last: StreamRow | None = None
        self._waiting: list[StreamText] = []
        self._text: list[str] = []
        self._found = ""

    def compose(self) -> ComposeResult:
        """Gauges, the list, a title line, the text, and the line to search with."""
        slow = self.owner.look.slow
        yield Gauges(not slow, id="gauges")
        yield LazyTable([c for c in COLUMNS if not slow or c.key != "novelty"], cells, id="streams")
        yield Static(lines(EMPTY, "dim"), id="no-streams")
        yield Static(id="stream-title")
        yield StreamView(id="stream")
        yield Finder(id="stream-search")

    @property
    def table(self) -> LazyTable[StreamRow]:  # type: ignore[override]  # it has the ways of the other panes' tables
        """The list of streams."""
        return self.query_one(LazyTable)

    @property
    def stream(self) -> StreamView:
        """The view of the chosen stream's text."""
        return self.query_one(StreamView)

    def prefer(self, job: int) -> None:
        """Choose a stream of this job at the next drawing."""
        self._job = job

    def remember(self) -> dict[str, Any]:
        """Whether the end is followed; streams come and go."""
        return {"follow": self.stream.follow}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """See `Pane`."""
        self.stream.follow = kept.get("follow") is not False

    def measure(self, sample: Sample) -> None:
        """What the machine does now."""
        running = (job for job in self.snapshot.jobs if job.state == "running") if self.snapshot else ()
        self.query_one(Gauges).add(sample, sum(job.tokens_per_second or 0 for job in running))

    def draw(self) -> None:
        """Draw the list; follow the stream under the cursor."""
        if self.paused:
            self._title()
            return
        streams = self.snapshot.streams if self.snapshot else ()
        self.table.sync([(str(stream.response_id), stream) for stream in streams], say=False)
        wanted = next((stream for stream in streams if stream.job_id == self._job), None)
        if wanted is not None:
            self.table.select(str(wanted.response_id))
            self._job = None
        if self.chosen is None or self._present() or self.stream.follow or wanted:
            self._choose()  # who holds the text of a stream that has finished is still reading it
        idle = not streams and self.chosen is None
        self.query_one("#no-streams").display = idle
        for part in ("#streams", "#stream-title", "#stream"):
            self.query_one(part).display = not idle
        if not idle and self.screen.focused is None:
            self.table.focus()
        self._title()

    @on(LazyTable.Highlighted)
    def _choose(self) -> None:
        key = self.table.selected
        if key is not None and int(key) != self.chosen and not self.paused:
            self.chosen, self._last = int(key), None
            self._begin()
            self.owner.poller.follow(self.chosen)
        self._title()

    def _begin(self) -> None:
        self.stream.start()
        self._text.clear()
        self._found = ""

    def _present(self) -> StreamRow | None:
        streams = self.snapshot.streams if self.snapshot else ()
        return next((stream for stream in streams if stream.response_id == self.chosen), None)

    def _title(self) -> None:
        stream = self._present()
        self._last = stream or self._last
        self.query_one("#stream-title", Static).update(self._heading(stream), layout=False)
        if stream is not None and stream.loop is not None and not self.paused:
            self.stream.loop(stream.loop)

    def _heading(self, stream: StreamRow | None) -> Text:
        """Which text this is and how it stands."""
        if self._last is None:
            return safe("" if self.chosen is None else f"Response {self.chosen}")
        last = self._last
        title = safe(f"{last.variant} · {last.benchmark} {last.item} · ", "bold")
        title.append_text(_state(last) if stream else safe("finished", "bold"))
        saved = next((job.tokens_saved for job in self.snapshot.jobs if job.id == last.job_id), 0) if self.snapshot else 0
        notes = (
            ("PAUSED (space goes on)", self.paused),
            (f"{saved:,} tokens saved", saved),
            ("held (f follows)", not self.stream.follow and not self.paused),
            (self._found, self._found),
            (f"{self.stream.dropped} earlier lines are in the store", self.stream.dropped),
        )
        for note, shown in notes:
            if shown:
                title.append(f" · {note}", "yellow")
        return title

    def receive(self, message: StreamText) -> None:
        """Add text of the chosen stream; while the pane is paused it waits."""
        if message.response_id != self.chosen:
            return
        if self.paused:
            self._waiting.append(message)
            return
        if message.first:
            self._begin()
            self._title()  # a loop that is known already is folded from where it was seen
        self._text.append(message.text)
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

    def action_pause(self) -> None:
        """Hold everything still, or show what came meanwhile."""
        self.paused = not self.paused
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self.receive(message)
        self.draw()

    def action_page(self, step: int) -> None:
        """Page through the text."""
        self.stream.page(step)
        self._title()

    def action_search(self) -> None:
        """Open the line to search with."""
        self.query_one(Finder).open()

    @on(Finder.Sought)
    def _search(self, message: Finder.Sought) -> None:
        self._say_found(message.text, self.stream.search(message.text))

    @on(Finder.Left)
    def _searched(self) -> None:
        self.table.focus()
        self._title()

    def action_match(self, step: int) -> None:
        """The next or previous match."""
        text = self.query_one(Finder).value
        if text:
            self._say_found(text, self.stream.match(step))

    def _say_found(self, text: str, found: tuple[int, int]) -> None:
        at, of = found
        self._found = "" if not text else f"match {at} of {of}" if of else "no match"
        self._title()

    def action_loop(self) -> None:
        """Go to where the loop starts."""
        self._found = "" if self.stream.to_loop() else "no loop in these lines"
        self._title()

    def action_copy(self) -> None:
        """Copy what has come so far."""
        if self.chosen is not None:
            self.owner.copy("".join(self._text), f"response-{self.chosen}")


def _state(stream: StreamRow) -> Text:
    """The mark, and of a loop how often it went round and what is done about it."""
    shown = mark(stream)
    if stream.loop is None:
        return safe(shown, MARKS[shown])
    ends = "runs on (audit)" if stream.loop.audited else "stopped"
    return safe(f"LOOP × {stream.loop.count:,}, {ends}", MARKS[shown])
