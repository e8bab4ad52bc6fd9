"""The workbench: five panes over one store. It imports nothing heavy before its first paint."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import App, ComposeResult
from textual.css.query import NoMatches
from textual.filter import LineFilter, Monochrome, NoColor
from textual.notifications import SeverityLevel
from textual.widgets import ContentSwitcher

from core.errors import LrmError
from core.files.folders import state_folder
from core.store.connection import opened
from core.store.filters import Wanted
from core.store.snapshot import Snapshot
from core.text import printable
from tui import keys
from tui.access import start_runner
from tui.commands import KeyCommands, Palette
from tui.dialogs.help import help_screen, notices_screen
from tui.line import leave_when_lost
from tui.look import PLAIN_THEME, Ascii, Look
from tui.memory import Memory, write_private
from tui.meter import Sample
from tui.panes.lengths import LengthsPane
from tui.panes.live import LivePane
from tui.panes.pane import Pane
from tui.panes.queue import QueuePane
from tui.panes.responses import ResponsesPane
from tui.panes.scores import ScoresPane
from tui.poller import MachineSampled, Polled, Poller, SnapshotReady, StoreMissing, StoreTrouble, StreamText
from tui.widgets.footer import Footer
from tui.widgets.header import Header, Offer

CLIPBOARD_CHARACTERS = 50_000
"""More than this is not sent through the terminal, whose line it would block; the file has it all."""
FULL_COLLECTION_S = 30.0
NEVER = 1_000_000
"""Collections of the middle generation before a full one: none comes by itself."""
SEVERITIES: dict[str, SeverityLevel] = {"warning": "warning", "error": "error"}


class LrmApp(App[None]):
    """Screens show what the poller posts; wishes go to the store in thread workers."""

    CSS_PATH: ClassVar = ["app.tcss", "reading.tcss"]
    TITLE = "lrm-tui"
    COMMANDS: ClassVar = {KeyCommands}
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar = keys.bindings("app")

    def __init__(
        self,
        store: Path,
        data: Path | None = None,
        readonly: bool = False,
        look: Look | None = None,
        memory: Memory | None = None,
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        self.store = store
        self.data = data
        self.readonly = readonly
        self.look = look or Look()
        self.memory = memory
        self.snapshot: Snapshot | None = None
        self.poller = Poller(store, self.post_message, self.look.slow)
        self.machine: Sample | None = None
        self._trouble = ""
        self._notices_seen: int | None = None
        self._ascii = Ascii(self.look.ascii)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's, but NO_COLOR takes the greys too where the theme leaves colours to the terminal; ASCII last."""
        plain = self.native_ansi_color
        kept = [NoColor() if plain and isinstance(f, Monochrome) else f for f in super().get_line_filters()]
        return [*kept, self._ascii] if self._ascii.enabled else kept

    def compose(self) -> ComposeResult:
        """Header, the panes, footer."""
        yield Header(self.store, self.readonly)
        yield Offer()
        with ContentSwitcher(initial="queue"):
            yield QueuePane(id="queue")
            yield LivePane(id="live")
            yield ScoresPane(id="scores")
            yield LengthsPane(id="lengths")
            yield ResponsesPane(id="responses")
        yield Footer()

    def on_mount(self) -> None:
        """Take up what was left last time, and begin to watch the store."""
        kept = self.memory.recall() if self.memory else {}
        self._choose_theme(kept.get("theme"))
        for pane in self._panes():
            if isinstance(left := kept.get(pane.id or ""), dict):
                pane.restore(left)
        self.action_pane(kept["pane"] if kept.get("pane") in keys.PANES else keys.PANES[0])
        self.poller.start()

    def on_ready(self) -> None:
        """Collect garbage from here on, but never look through all that the start has made: keys wait meanwhile."""
        if not gc.isenabled():
            gc.freeze()
            young, middle, _ = gc.get_threshold()
            gc.set_threshold(young, middle, NEVER)  # a full collection takes as long as a pane: it has a time of its own
            gc.enable()
            self.set_interval(FULL_COLLECTION_S, lambda: gc.collect())

    def _choose_theme(self, kept: object) -> None:
        """The theme that is asked for, else the terminal's colours under NO_COLOR, else the one chosen last time."""
        for wanted in (self.look.theme, PLAIN_THEME if self.no_color else None, kept):
            if isinstance(wanted, str) and wanted in self.available_themes:
                self.theme = wanted
                return

    def remember(self) -> None:
        """Keep pane, filters, cursors and colours for next time."""
        if self.memory is not None:
            panes = {pane.id: pane.remember() for pane in self._panes() if pane.id}
            self.memory.keep({"pane": self.shown, "theme": self.theme, **panes})

    async def action_quit(self) -> None:
        """Leave; the runs go on."""
        self.leave()

    def leave(self) -> None:
        """Keep what is to be found again, and end."""
        self.remember()
        self.exit()

    def on_unmount(self) -> None:
        """Stop watching."""
        self.poller.end()

    @property
    def _base(self) -> ContentSwitcher:
        return self.screen_stack[0].query_one(ContentSwitcher)

    @property
    def shown(self) -> str:
        """The name of the pane in front."""
        return self._base.current or keys.PANES[0]

    def _panes(self) -> list[Pane]:
        return list(self._base.query(Pane))

    @on(Polled)
    def _polled(self, message: Polled) -> None:
        """Take what the poller has seen; while the screen closes, its widgets go before the messages do."""
        if self.screen_stack:
            with suppress(NoMatches):
                self._take(message)

    def _take(self, message: Polled) -> None:
        match message:
            case SnapshotReady():
                self._trouble = ""
                self._distribute(message.snapshot)
                self._announce(message.snapshot)
            case StoreMissing():
                self._trouble = ""
                self._distribute(None)
            case StoreTrouble():
                self._trouble = message.error.message
                self.tell(message.error)
                self._head()
            case MachineSampled():
                self.machine = message.sample
                self._base.query_one(LivePane).measure(message.sample)
            case StreamText():
                self._base.query_one(LivePane).receive(message)

    def _distribute(self, snapshot: Snapshot | None) -> None:
        runner_before = self.snapshot and self.snapshot.runner.alive
        self.snapshot = snapshot
        for pane in self._panes():
            pane.update(snapshot, pane.id == self.shown)
        self._head()
        if runner_before != (snapshot and snapshot.runner.alive):
            self.refresh_bindings()

    def _head(self) -> None:
        self.screen_stack[0].query_one(Header).show(self.snapshot, self.shown, self._trouble)
        self.screen_stack[0].query_one(Offer).show(self.snapshot, self.readonly)

    def _announce(self, snapshot: Snapshot) -> None:
        """Say what happened since the screen opened; older notices are not news."""
        newest = max((notice.id for notice in snapshot.notices), default=0)
        seen = newest if self._notices_seen is None else self._notices_seen
        for notice in reversed(snapshot.notices):
            if notice.id > seen:
                self._toast(f"{notice.message} {notice.remedy}".strip(), notice.level)
        self._notices_seen = newest

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Textual's, for text from anywhere: screens and widgets come through here too."""
        super().notify(printable(message, keep_newlines=True), title=title, severity=severity, timeout=timeout, markup=False)

    def _toast(self, text: str, level: str) -> None:
        self.notify(text, severity=SEVERITIES.get(level, "information"))

    def copy(self, text: str, name: str) -> None:
        """Copy by OSC 52, made safe to paste, and to a file as it is, since terminals may not take it; say where it is."""
        file = state_folder() / "copies" / f"{name}.txt"
        self.copy_to_clipboard(printable(text[:CLIPBOARD_CHARACTERS], keep_newlines=True))
        try:
            write_private(file, text)
        except OSError as error:
            self._toast(f"Copied to the clipboard; no file: {error.strerror}.", "warning")
            return
        cut = f" (its first {CLIPBOARD_CHARACTERS:,} characters)" if len(text) > CLIPBOARD_CHARACTERS else ""
        self._toast(f"{len(text):,} characters copied to the clipboard{cut} and to {file}", "info")

    def tell(self, error: LrmError) -> None:
        """Show an error with its remedy."""
        self._toast(str(error), "error")

    def ask(self, what: Callable[[sqlite3.Connection], None], serve: bool = False) -> None:
        """Write a wish into the store, aside, and with `serve` see that a runner takes it up; an error becomes a message."""
        self._ask(what, serve)

    @work(thread=True, group="wishes")
    def _ask(self, what: Callable[[sqlite3.Connection], None], serve: bool) -> None:
        trouble: LrmError | None = None
        try:
            with opened(self.store, "user") as connection:
                what(connection)
        except LrmError as error:
            trouble = error
        if serve and trouble is None:
            trouble = start_runner(self.store)
        if trouble is not None:
            self.call_from_thread(self.tell, trouble)

    def queued(self, result: object) -> None:
        """The form came back."""
        from tui.dialogs.new_run import Queued

        if isinstance(result, Queued):
            self._toast(f"Queued {len(result.jobs)} runs.", "info")
            if result.trouble is not None:
                self.tell(result.trouble)

    def show_streams(self, job: int) -> None:
        """Live, at a stream of this job."""
        self._base.query_one(LivePane).prefer(job)
        self.action_pane("live")

    def show_responses(self, job: int) -> None:
        """The responses of this job."""
        self.browse(Wanted(job=job))

    def browse(self, wanted: Wanted) -> None:
        """The responses that are wanted."""
        self._base.query_one(ResponsesPane).show_wanted(wanted)
        self.action_pane("responses")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The runner can be started only where there is a store to serve and none serves it."""
        if self.readonly and action in keys.writing("app"):
            return False
        if action == "start_runner":
            return self.snapshot is not None and not self.snapshot.runner.alive
        return True

    def action_pane(self, name: str) -> None:
        """Bring a pane to the front."""
        self._base.current = name
        pane = self._base.query_one(f"#{name}", Pane)
        pane.show()
        self._head()
        self.call_after_refresh(self.remember)  # a disk that is slow to write must not keep the pane waiting

    def action_command_palette(self) -> None:
        """Find a command by name."""
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def action_help(self) -> None:
        """Show the keys of what has the focus, of this pane and of all."""
        self.push_screen(help_screen(self.shown, self.focused))

    def action_notices(self) -> None:
        """Show the last notices, which a message on the screen shows for some seconds only."""
        self.push_screen(notices_screen(self.snapshot.notices if self.snapshot else ()))

    @work(thread=True, exclusive=True, group="runner")
    def action_start_runner(self) -> None:
        """Start the runner and wait for its handshake, aside."""
        trouble = start_runner(self.store)
        if trouble is not None:
            self.call_from_thread(self.tell, trouble)


def run(store: Path, data: Path | None = None, readonly: bool = False, look: Look | None = None) -> int:
    """Open the workbench on a store and return when it is left, with the exit code: 1 where it failed."""
    look = look or Look()
    app = LrmApp(store, data, readonly, look, Memory(state_folder() / "screen.json", store))
    leave_when_lost(lambda: app.call_from_thread(app.leave))
    app.run(mouse=look.mouse)
    return app.return_code or 0
