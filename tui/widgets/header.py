"""Two lines at the top: the runner, totals and the store; then the panes."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from rich.text import Text
from textual.widgets import Static

from core.store.snapshot import Snapshot
from tui import keys
from tui.shown import duration, safe

SHOWN_STATES = ("running", "queued", "paused", "failed", "done")


class Header(Static):
    """State of the runner, counts of jobs and responses, the store's path, and the panes."""

    def __init__(self, store: Path, readonly: bool) -> None:
        super().__init__(id="header")
        self._store, self._readonly = store, readonly
        self._snapshot: Snapshot | None = None
        self._pane = keys.PANES[0]
        self._trouble = ""

    def show(self, snapshot: Snapshot | None, pane: str, trouble: str = "") -> None:
        """Draw a snapshot; `trouble` says why the store cannot be read."""
        self._snapshot, self._pane, self._trouble = snapshot, pane, trouble
        self._draw()

    def on_resize(self) -> None:
        """Draw again: the path is cut to the width."""
        self._draw()

    def _draw(self) -> None:
        top = self._state(True)
        if top.cell_len > self.size.width:
            top = self._state(False)
        room = self.size.width - top.cell_len - 3
        path = safe(self._store)
        if room > 8:
            plain = path.plain if len(path.plain) <= room else "…" + path.plain[1 - room :]
            top.append(" " * (room - len(plain) + 3)).append(plain, "dim")
        self.update(Text("\n").join([top, tabs(self._pane)]), layout=False)

    def _state(self, number: bool) -> Text:
        """The runner and the counts; with `number` also the runner's process id, where there is room."""
        top = safe("lrm-tui ", "")
        if self._readonly:
            top.append("read-only ", "yellow")
        if self._trouble:
            return top.append_text(safe(self._trouble, "bold red"))
        if self._snapshot is None:
            return top.append("no store yet", "yellow")
        runner = self._snapshot.runner
        serving = f"serving ({runner.pid})" if number else "serving"
        state = serving if runner.alive else "lost" if runner.lost else "stopped"
        top.append(f"runner: {state}", "green" if runner.alive else "bold red" if runner.lost else "yellow")
        states = Counter(job.state for job in self._snapshot.jobs)
        totals = ", ".join(f"{states[state]} {state}" for state in SHOWN_STATES if states[state])
        return top.append(f" · {totals or 'no jobs'} · {self._snapshot.finished_responses} responses")


class Offer(Static):
    """A line that is shown only where jobs wait and no runner serves them."""

    def __init__(self) -> None:
        super().__init__(id="offer")
        self.display = False
        self._text = ""

    def show(self, snapshot: Snapshot | None, readonly: bool) -> None:
        """Say what happened, and that a key mends it."""
        runner = snapshot.runner if snapshot else None
        waiting = sum(job.state in ("queued", "running") for job in snapshot.jobs) if snapshot else 0
        self.display = bool(waiting and runner and not runner.alive)
        if self.display and runner:
            ago = f" {duration(time.time() - runner.beat)} ago" if runner.lost and runner.beat else ""
            what = f"The runner was lost{ago}" if runner.lost else "No runner serves this store"
            mend = "This screen is read-only." if readonly else "Press s to start it."
            waits = f"{waiting} job{'s wait' if waiting > 1 else ' waits'}"
            self._set(f"{what}; {waits}. {mend}")

    def _set(self, text: str) -> None:
        if text != self._text:  # an update lays out the whole screen
            self._text = text
            self.update(safe(text))


def tabs(shown: str) -> Text:
    """The panes and their keys, the shown one reversed."""
    line = Text(no_wrap=True)
    for number, pane in enumerate(keys.PANES, 1):
        line.append(f" {number} {keys.TITLES[pane]} ", "reverse bold" if pane == shown else "").append(" ")
    return line
