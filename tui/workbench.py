"""What panes and dialogs need of the app, so that they do not import it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

from textual.widget import Widget

from core.errors import LrmError
from core.store.filters import ResponseFilter
from core.store.snapshot import Snapshot
from tui.meter import Sample
from tui.terminal import Look


class Workbench(Protocol):
    """The app as its panes and dialogs see it; `machine` is the poller's last sample."""

    store: Path
    data: Path | None
    readonly: bool
    look: Look
    snapshot: Snapshot | None
    machine: Sample | None

    def change_store(self, change: Callable[[sqlite3.Connection], None], serve: bool = False) -> None:
        """Change the store in a thread; with `serve` then make sure that a runner is there. An error becomes a message."""

    def tell(self, error: LrmError) -> None:
        """Show an error with its remedy."""

    def copy(self, text: str, name: str) -> None:
        """Copy a text to the clipboard and to the file `name`.txt."""

    def follow(self, response: int | None) -> None:
        """Have the poller post the text of this response, as Live shows it."""

    def queued(self, result: object) -> None:
        """Show what the form for new runs has queued."""

    def show_streams(self, job: int) -> None:
        """Go to Live, at a stream of this job."""

    def show_responses(self, job: int) -> None:
        """Go to Responses, with those of this job."""

    def browse(self, selection: ResponseFilter) -> None:
        """Go to Responses, with this filter."""

    def show_variants(self, response: int) -> None:
        """Open the responses of all variants to the same question."""


def workbench_of(widget: Widget) -> Workbench:
    """The app of a widget."""
    return cast(Workbench, widget.app)
