"""What the five panes share: the latest picture is kept while hidden, and drawn on show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from textual.containers import Vertical

from core.store.snapshot import Snapshot
from tui import keys
from tui.widgets.table import RowTable

if TYPE_CHECKING:
    from tui.app import LrmApp


class Pane(Vertical):
    """A pane draws snapshots in `draw`, which is called only while it is shown."""

    snapshot: Snapshot | None = None

    @property
    def owner(self) -> LrmApp:
        """The app, with its store and its ways to ask."""
        return cast("LrmApp", self.app)

    @property
    def table(self) -> RowTable:
        """The pane's table, which takes the keys."""
        return self.query_one(RowTable)

    def update(self, snapshot: Snapshot | None, shown: bool) -> None:
        """Take a new picture; None says that there is no store yet."""
        self.snapshot = snapshot
        if shown:
            self.draw()

    def show(self) -> None:
        """Come to the front."""
        self.draw()
        self.table.focus()

    def draw(self) -> None:
        """Draw the latest picture."""

    def remember(self) -> dict[str, Any]:
        """What is to be found again when the screen is opened next time, as JSON values."""
        return {"row": self.table.selected}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Take up what `remember` gave; called before the first picture, with anything that a file may hold."""
        if isinstance(row := kept.get("row"), str):
            self.table.await_row(row)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing that writes is offered on a read-only screen."""
        return not (self.owner.readonly and action in keys.writing(self.id or ""))
