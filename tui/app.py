"""The app: five panes over one store. It imports nothing slow before the first paint."""

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
from textual.driver import Driver
from textual.filter import LineFilter, Monochrome, NoColor
from textual.notifications import SeverityLevel
from textual.widgets import ContentSwitcher

from core.errors import LrmError
from core.files.folders import state_folder
from core.store.connection import opened
from core.store.filters import ResponseFilter
from core.store.snapshot import Snapshot
from core.text import printable
from tui import keys
from tui.background import start_runner
from tui.dialogs.help import help_screen, notices_screen
from tui.low_colour import LowColour
from tui.memory import Memory, write_private
from tui.meter import Sample
from tui.palette import KeyCommands, Palette
from tui.panes.lengths import LengthsPane
from tui.panes.live import LivePane
from tui.panes.pane import Pane
from tui.panes.queue import QueuePane
from tui.panes.responses import ResponsesPane
from tui.panes.scores import ScoresPane
from tui.poller import MachineSampled, Polled, Poller, SnapshotReady, StoreMissing, StoreTrouble, StreamText
from tui.terminal import PLAIN_THEME, Ascii, Look, leave_when_lost
from tui.widgets.footer import Footer
from tui.widgets.header import Header, Offer
from tui.workbench import Workbench

CLIPBOARD_CHARACTERS = 50_000
"""At most so many are sent to the terminal's clipboard, since more would block it; the file holds the whole text."""
FULL_COLLECTION_S = 30.0
"""Seconds between full garbage collections."""
NEVER = 1_000_000
"""A threshold for the oldest generation that is never reached, so that no full collection starts by itself."""
SEVERITIES: dict[str, SeverityLevel] = {"warning": "warning", "error": "error"}


class LrmApp(App[None]):
    """Shows what the poller posts; changes to the store are made in thread workers."""

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
        self._low_colour = LowColour(None)

    def get_driver_class(self) -> type[Driver]:
        """A driver that survives every byte, unless Textual's own setting names another."""
        from tui.driver import TolerantDriver

        chosen = super().get_driver_class()
        return TolerantDriver if issubclass(TolerantDriver, chosen) else chosen

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's filters, except that NO_COLOR also removes greys in an ANSI theme; ASCII is applied last."""
        ansi = self.native_ansi_color
        filters = [NoColor() if ansi and isinstance(f, Monochrome) else f for f in super().get_line_filters()]
        return [*filters, *(extra for extra in (self._low_colour, self._ascii) if extra.enabled)]

    def compose(self) -> ComposeResult:
        """The header, the panes and the footer."""
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
        """Restore the state of the last session and start the poller."""
        if not self.is_headless:
            self._low_colour = LowColour(self.console.color_system)
        state = self.memory.recall() if self.memory else {}
        self._choose_theme(state.get("theme"))
        for pane in self._panes():
            if isinstance(pane_state := state.get(pane.id or ""), dict):
                pane.restore(pane_state)
        last = state.get("pane")
        self.action_pane(last if isinstance(last, str) and last in keys.PANES else keys.PANES[0])
        self.poller.start()

    def on_ready(self) -> None:
        """Turn garbage collection on, leaving out what the start has made: a full collection would delay keys."""
        if not gc.isenabled():
            gc.freeze()
            young, middle, _ = gc.get_threshold()
            gc.set_threshold(young, middle, NEVER)  # full collections run on a timer: one takes as long as drawing a pane
            gc.enable()
            self.set_interval(FULL_COLLECTION_S, lambda: gc.collect())

    def _choose_theme(self, remembered: object) -> None:
        """Use the theme of --theme; else the terminal's colours under NO_COLOR or with 16; else that of the last session."""
        plain = self.no_color or (not self.is_headless and self.console.color_system == "standard")
        for theme in (self.look.theme, PLAIN_THEME if plain else None, remembered):
            if isinstance(theme, str) and theme in self.available_themes:
                self.theme = theme
                return

    def remember(self) -> None:
        """Save pane, filters, cursors and theme for the next session."""
        if self.memory is not None:
            panes = {pane.id: pane.remember() for pane in self._panes() if pane.id}
            self.memory.save({"pane": self.shown, "theme": self.theme, **panes})

    def action_help_quit(self) -> None:
        """Say how to leave, for those who press ctrl+c."""
        self._toast("q leaves the screen, ctrl+q from anywhere; the runs go on.", "info")

    async def action_quit(self) -> None:
        """Close the app; runs continue."""
        self.leave()

    def leave(self) -> None:
        """Save the state and exit."""
        self.remember()
        self.exit()

    def on_unmount(self) -> None:
        """Stop the poller."""
        self.poller.end()

    @property
    def _base(self) -> ContentSwitcher:
        return self.screen_stack[0].query_one(ContentSwitcher)

    @property
    def shown(self) -> str:
        """The name of the pane that is shown."""
        return self._base.current or keys.PANES[0]

    def _panes(self) -> list[Pane]:
        return list(self._base.query(Pane))

    @on(Polled)
    def _polled(self, message: Polled) -> None:
        """Handle a message of the poller; while the app closes, messages may arrive after the widgets are gone."""
        if self.screen_stack:
            with suppress(NoMatches):
                self._handle(message)

    def _handle(self, message: Polled) -> None:
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
        """Show each notice that is newer than the app's start, once."""
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
        """Textual's `notify` without markup and control characters: screens and widgets call it too, with any text."""
        super().notify(printable(message, keep_newlines=True), title=title, severity=severity, timeout=timeout, markup=False)

    def _toast(self, text: str, level: str) -> None:
        self.notify(text, severity=SEVERITIES.get(level, "information"))

    def copy(self, text: str, name: str) -> None:
        """Copy to the clipboard (OSC 52) without control characters, and unchanged to a file, which is named in a message."""
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

    def change_store(self, change: Callable[[sqlite3.Connection], None], serve: bool = False) -> None:
        """Change the store in a thread; with `serve` then make sure that a runner serves it. An error becomes a message."""
        self._change_store(change, serve)

    @work(thread=True, group="changes")
    def _change_store(self, change: Callable[[sqlite3.Connection], None], serve: bool) -> None:
        failure: LrmError | None = None
        try:
            with opened(self.store, "user") as connection:
                change(connection)
        except LrmError as error:
            failure = error
        if serve and failure is None:
            failure = start_runner(self.store)
        if failure is not None:
            self.call_from_thread(self.tell, failure)

    def follow(self, response: int | None) -> None:
        """Have the poller post the text of this response."""
        self.poller.follow(response)

    def queued(self, result: object) -> None:
        """Show what the form for new runs has queued."""
        from tui.dialogs.new_run import Queued

        if isinstance(result, Queued):
            self._toast(f"Queued {len(result.jobs)} runs.", "info")
            if result.error is not None:
                self.tell(result.error)

    def show_streams(self, job: int) -> None:
        """Go to Live, at a stream of this job."""
        self._base.query_one(LivePane).prefer(job)
        self.action_pane("live")

    def show_responses(self, job: int) -> None:
        """Go to Responses, with those of this job."""
        self.browse(ResponseFilter(job=job))

    def browse(self, selection: ResponseFilter) -> None:
        """Go to Responses, with this filter."""
        self._base.query_one(ResponsesPane).show_filtered(selection)
        self.action_pane("responses")

    def show_variants(self, response: int) -> None:
        """Open the responses of all variants to the same question."""
        from tui.dialogs.variants import VariantsScreen

        self.push_screen(VariantsScreen(self.store, response))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Starting the runner is offered only where there is a store and no runner serves it."""
        if self.readonly and action in keys.writing("app"):
            return False
        if action == "start_runner":
            return self.snapshot is not None and not self.snapshot.runner.alive
        return True

    def action_pane(self, name: str) -> None:
        """Show a pane."""
        self._base.current = name
        pane = self._base.query_one(f"#{name}", Pane)
        pane.show()
        self._head()
        self.call_after_refresh(self.remember)  # afterwards, since a slow disk must not delay the pane

    def action_command_palette(self) -> None:
        """Open the command palette."""
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def action_help(self) -> None:
        """Show the keys: of this pane first, then of what has the focus, then all others."""
        self.push_screen(help_screen(self.shown, self.focused))

    def action_notices(self) -> None:
        """Show the last notices; each was on the screen for a few seconds only."""
        self.push_screen(notices_screen(self.snapshot.notices if self.snapshot else ()))

    @work(thread=True, exclusive=True, group="runner")
    def action_start_runner(self) -> None:
        """Start the runner in a thread."""
        failure = start_runner(self.store)
        if failure is not None:
            self.call_from_thread(self.tell, failure)


_: type[Workbench] = LrmApp
"""Checked by mypy: the app has what panes and dialogs need."""


def run(store: Path, data: Path | None = None, readonly: bool = False, look: Look | None = None) -> int:
    """Open the workbench on a store until it is closed. Returns the exit code, 1 where it failed."""
    look = look or Look()
    app = LrmApp(store, data, readonly, look, Memory(state_folder() / "screen.json", store))
    leave_when_lost(lambda: app.call_from_thread(app.leave))
    app.run(mouse=look.mouse)
    return app.return_code or 0
