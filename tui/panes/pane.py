"""What the five panes share: a hidden pane keeps the latest snapshot and draws it when it is shown."""

from __future__ import annotations

from collections.abc import Mapping

from textual.containers import Vertical

from core.store.snapshot import Snapshot
from tui import keys
from tui.widgets.table import RowTable
from tui.workbench import Workbench, workbench_of


class Pane(Vertical):
    """Base of the panes; `draw` is called only while the pane is shown."""

    snapshot: Snapshot | None = None

    @property
    def workbench(self) -> Workbench:
        """The app."""
        return workbench_of(self)

    @property
    def table(self) -> RowTable:
        """The pane's table, which has the focus."""
        return self.query_one(RowTable)

    def update(self, snapshot: Snapshot | None, shown: bool) -> None:
        """Take a new snapshot; None means that there is no store yet."""
        self.snapshot = snapshot
        if shown:
            self.draw()

    def show(self) -> None:
        """Draw the pane and focus it."""
        self.draw()
        self.table.focus()

    def draw(self) -> None:
        """Draw the latest snapshot."""

    def remember(self) -> dict[str, object]:
        """The state to restore in the next session, as JSON values."""
        return {"row": self.table.selected}

    def restore(self, state: Mapping[str, object]) -> None:
        """Restore what `remember` returned. Called before the first snapshot; the file may hold anything."""
        if isinstance(row := state.get("row"), str):
            self.table.await_row(row)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A read-only screen offers no action that writes."""
        return not (self.workbench.readonly and action in keys.writing(self.id or ""))
