"""Progress on stderr: a bar where it is a terminal, and nothing or few lines where it is none."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from core.text import printable

LINE_EVERY_S = 15.0


class Bar:
    """One bar on a terminal, shown from the first update on and taken away at the end; a context manager."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, markup=False, highlight=False, emoji=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[count]}", markup=False),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None, count="")

    def update(self, label: str, done: int = 0, total: int | None = None) -> None:
        """Say what goes on and how far it is; without a total the bar only moves."""
        count = "" if total is None else f"{done:,} of {total:,}"
        self._progress.update(self._task, description=printable(label), completed=done, total=total, count=count)
        self._progress.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()


class Ticker(Bar):
    """A bar on a terminal; in a file a line a job, and one more every LINE_EVERY_S."""

    def __init__(self) -> None:
        super().__init__()
        self._job, self._printed = 0, -LINE_EVERY_S

    def show(self, job: int, line: str, label: str, done: int, total: int | None) -> None:
        """Say where a job stands: `line` in a file, `label` beside the bar of a terminal."""
        self.update(label, done, total)
        due = job != self._job or time.monotonic() - self._printed >= LINE_EVERY_S
        if due and not self.console.is_terminal:
            self.console.print(line, soft_wrap=True)
            self._job, self._printed = job, time.monotonic()
