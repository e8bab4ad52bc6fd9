"""Pane 2: the responses being generated, and the text of the chosen one."""

from __future__ import annotations

from collections.abc import Mapping

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
    """The state of a stream, as a key of MARKS."""
    if stream.loop:
        return "LOOP"
    if stream.suspicious:
        return "loop?"
    return "run" if not stream.tokens and not stream.length else "think" if stream.thinking else "answer"


def cells(stream: StreamRow) -> Cells:
    """The cells of one stream."""
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
    """A list of streams, and below it the text of the one under the cursor."""

    BINDINGS = keys.bindings("live")

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.chosen: int | None = None
        self.paused = False
        self._job: int | None = None
        self._last: StreamRow | None = None
        self._waiting: list[StreamText] = []
        self._text: list[str] = []
        self._search_state = ""

    def compose(self) -> ComposeResult:
        """Gauges, the list, a title line, the text, and the search line."""
        slow = self.workbench.look.slow
        yield Gauges(not slow, id="gauges")
        yield LazyTable([c for c in COLUMNS if not slow or c.key != "novelty"], cells, id="streams")
        yield Static(lines(EMPTY, "dim"), id="no-streams")
        yield Static(id="stream-title")
        yield StreamView(id="stream")
        yield Finder(id="stream-search")

    @property
    def table(self) -> LazyTable[StreamRow]:  # type: ignore[override]  # it has the methods that `Pane` uses
        """The list of streams."""
        return self.query_one(LazyTable)

    @property
    def stream(self) -> StreamView:
        """The text of the chosen stream."""
        return self.query_one(StreamView)

    def prefer(self, job: int) -> None:
        """Choose a stream of this job when the pane is drawn next."""
        self._job = job

    def remember(self) -> dict[str, object]:
        """Only whether the end is followed: streams do not last until the next session."""
        return {"follow": self.stream.follow}

    def restore(self, state: Mapping[str, object]) -> None:
        """See `Pane`."""
        self.stream.follow = state.get("follow") is not False

    def measure(self, sample: Sample) -> None:
        """Show a new sample of the machine."""
        running = (job for job in self.snapshot.jobs if job.state == "running") if self.snapshot else ()
        self.query_one(Gauges).add(sample, sum(job.tokens_per_second or 0 for job in running))

    def draw(self) -> None:
        """Draw the list and follow the stream under the cursor."""
        if self.paused:
            self._title()
            return
        streams = self.snapshot.streams if self.snapshot else ()
        self.table.sync([(str(stream.response_id), stream) for stream in streams], post=False)
        preferred = next((stream for stream in streams if stream.job_id == self._job), None)
        if preferred is not None:
            self.table.select(str(preferred.response_id))
            self._job = None
        if self.chosen is None or self._present() or self.stream.follow or preferred:
            self._choose()  # otherwise a finished text that is held still is being read: keep it
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
            self.workbench.follow(self.chosen)
        self._title()

    def _begin(self) -> None:
        self.stream.start()
        self._text.clear()
        self._search_state = ""

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
        """Which response the text is of, its state, and notes."""
        if self._last is None:
            return safe("" if self.chosen is None else f"Response {self.chosen}")
        last = self._last
        title = safe(f"{last.variant} · {last.benchmark} {last.item} · ", "bold")
        title.append_text(_state(last) if stream else safe("finished", "bold"))
        saved = next((job.tokens_saved for job in self.snapshot.jobs if job.id == last.job_id), 0) if self.snapshot else 0
        notes: tuple[tuple[str, object], ...] = (
            ("PAUSED (space goes on)", self.paused),
            (f"{saved:,} tokens saved in its run", saved),
            ("held (f follows)", not self.stream.follow and not self.paused),
            (self._search_state, self._search_state),
            (f"{self.stream.dropped} earlier lines are in the store", self.stream.dropped),
        )
        for note, shown in notes:
            if shown:
                title.append(f" · {note}", "yellow")
        return title

    def receive(self, message: StreamText) -> None:
        """Add text of the chosen stream, or keep it for later while the pane is paused."""
        if message.response_id != self.chosen:
            return
        if self.paused:
            self._waiting.append(message)
            return
        if message.first:
            self._begin()
            self._title()  # sets a loop that is known already, so that the text is folded from there
        self._text.append(message.text)
        self.stream.append(message.text)
        self._title()
        if message.final:
            self.stream.finish()

    def action_follow(self) -> None:
        """Follow the end of the text, or stop following."""
        self.stream.follow = not self.stream.follow
        if self.stream.follow:
            self.stream.scroll_end(animate=False)
        self._title()

    def action_pause(self) -> None:
        """Pause the pane, or show what has arrived meanwhile."""
        self.paused = not self.paused
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self.receive(message)
        self.draw()

    def action_page(self, step: int) -> None:
        """Scroll the text by a page."""
        self.stream.page(step)
        self._title()

    def action_search(self) -> None:
        """Open the search line."""
        self.query_one(Finder).open()

    @on(Finder.Search)
    def _search(self, message: Finder.Search) -> None:
        self._show_match(message.text, self.stream.search(message.text))

    @on(Finder.Closed)
    def _searched(self) -> None:
        self.table.focus()
        self._title()

    def action_match(self, step: int) -> None:
        """Go to the next or previous match."""
        text = self.query_one(Finder).value
        if text:
            self._show_match(text, self.stream.match(step))

    def _show_match(self, text: str, match: tuple[int, int]) -> None:
        at, count = match
        self._search_state = "" if not text else f"match {at} of {count}" if count else "no match"
        self._title()

    def action_loop(self) -> None:
        """Go to where the loop starts."""
        self._search_state = "" if self.stream.to_loop() else "no loop in these lines"
        self._title()

    def action_copy(self) -> None:
        """Copy the text that has arrived so far."""
        if self.chosen is not None:
            self.workbench.copy("".join(self._text), f"response-{self.chosen}")


def _state(stream: StreamRow) -> Text:
    """The state of a stream; for a loop also its rounds and whether it was stopped."""
    shown = mark(stream)
    if stream.loop is None:
        return safe(shown, MARKS[shown])
    ends = "runs on (audit)" if stream.loop.audited else "stopped"
    return safe(f"LOOP × {stream.loop.count:,}, {ends}", MARKS[shown])
