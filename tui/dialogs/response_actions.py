"""What can be done with a response wherever it is shown: judge it by hand, compare it with other variants', get help."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, ClassVar

from textual.widget import Widget

from core.store.reviews import review
from tui import keys
from tui.background import hand_back
from tui.workbench import Workbench, workbench_of

if TYPE_CHECKING:
    from tui.dialogs.review import HandVerdict


class ResponseActions(Widget):
    """Mixin for a screen or pane that shows a response; `reviewed` is called when a verdict by hand has been stored."""

    SCREEN: ClassVar[str] = "response"
    """Its name in the registry of keys."""

    @property
    def workbench(self) -> Workbench:
        """The app."""
        return workbench_of(self)

    @property
    def response(self) -> int | None:
        """The number of the response that the actions apply to."""
        raise NotImplementedError

    def reviewed(self) -> None:
        """Called after a new verdict was stored."""

    def action_review(self) -> None:
        """Ask for a verdict by hand."""
        from tui.dialogs.review import ReviewScreen

        if self.response is not None:
            self.app.push_screen(ReviewScreen(self.workbench.store, self.response), self._judged)

    def _judged(self, judged: HandVerdict | None) -> None:
        if judged is None:
            return

        def store(connection: sqlite3.Connection) -> None:
            review(connection, judged.response, judged.verdict, judged.flagged, judged.note)
            hand_back(self, self.reviewed)

        self.workbench.change_store(store)

    def action_variants(self) -> None:
        """Compare with the other variants' responses to the same question."""
        if self.response is not None:
            self.workbench.show_variants(self.response)

    def action_help(self) -> None:
        """Show this screen's keys."""
        from tui.dialogs.help import help_screen

        self.app.push_screen(help_screen(self.SCREEN, self.app.focused))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A read-only screen offers no action that writes."""
        return not (self.workbench.readonly and action in keys.writing(self.SCREEN))
