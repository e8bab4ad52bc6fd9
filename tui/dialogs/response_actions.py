"""What can be done with a response wherever it is shown: judge it by hand, see it beside other variants', get help."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, ClassVar, cast

from textual.widget import Widget

from core.store.reviews import review
from tui import keys
from tui.background import hand_back

if TYPE_CHECKING:
    from tui.app import LrmApp
    from tui.dialogs.review import Judged


class ResponseActions(Widget):
    """A second base of a screen that shows `response`; `reviewed` is called when a verdict by hand has been stored."""

    SCREEN: ClassVar[str] = "response"
    """What the registry of keys calls it."""

    @property
    def owner(self) -> LrmApp:
        """The app, with its store and its ways to ask."""
        return cast("LrmApp", self.app)

    @property
    def response(self) -> int | None:
        """The number of the response that is meant."""
        raise NotImplementedError

    def reviewed(self) -> None:
        """The response has a new verdict."""

    def action_review(self) -> None:
        """Ask for a verdict by hand."""
        from tui.dialogs.review import ReviewScreen

        if self.response is not None:
            self.app.push_screen(ReviewScreen(self.owner.store, self.response), self._judged)

    def _judged(self, judged: Judged | None) -> None:
        if judged is None:
            return

        def store(connection: sqlite3.Connection) -> None:
            review(connection, judged.response, judged.verdict, judged.flagged, judged.note)
            hand_back(self, self.reviewed)

        self.owner.ask(store)

    def action_variants(self) -> None:
        """The same question across variants."""
        from tui.dialogs.variants import VariantsScreen

        if self.response is not None:
            self.app.push_screen(VariantsScreen(self.owner.store, self.response))

    def action_help(self) -> None:
        """Help for this screen."""
        from tui.dialogs.help import help_screen

        self.app.push_screen(help_screen(self.SCREEN, self.app.focused))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing that writes is offered on a read-only screen."""
        return not (self.owner.readonly and action in keys.writing(self.SCREEN))
