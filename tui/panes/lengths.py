"""Pane 4: the shortest and the longest responses scored apart, scores by tenth of length, and repetition collapse."""

from __future__ import annotations

from typing import ClassVar

from tui import keys
from tui.panes.report import ReportPane
from tui.views.lengths import CollapseView, DecilesView, LengthsView
from tui.views.view import View

SHARES = (30.0, 20.0, 10.0, 50.0)
"""The paper's two, and two more."""


class LengthsPane(ReportPane):
    """Three views over lengths."""

    BINDINGS = keys.bindings("lengths")
    views: ClassVar[tuple[View, ...]] = (LengthsView(), DecilesView(), CollapseView())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Shares matter in the first view alone."""
        return not (action == "share" and self.at) and super().check_action(action, parameters)

    def turn(self, at: int) -> None:
        """Other keys are offered with another view."""
        super().turn(at)
        self.refresh_bindings()

    def action_share(self) -> None:
        """The next share of the shortest and longest."""
        at = SHARES.index(self.choices.share) if self.choices.share in SHARES else -1
        self.choose(share=SHARES[(at + 1) % len(SHARES)])

    def action_collapse(self) -> None:
        """The collapse table, or the first one again."""
        self.turn(0 if self.at == 2 else 2)
