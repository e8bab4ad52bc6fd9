"""Pane 4: scores of the shortest and longest responses, beside printed ones; by tenth of length; repetition collapse."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from tui import keys
from tui.panes.report import ReportPane
from tui.views.lengths import CollapseView, DecilesView, LengthsView, PublishedLengthsView
from tui.views.view import AnyView

TABLE, PUBLISHED, DECILES, COLLAPSE = range(4)
SHARES = (30.0, 20.0, 10.0, 50.0)
"""Percent of the responses at each end: the paper's two, then two more."""


class LengthsPane(ReportPane):
    """Four views of lengths."""

    BINDINGS = keys.bindings("lengths")
    views: ClassVar[tuple[AnyView, ...]] = (LengthsView(), PublishedLengthsView(), DecilesView(), CollapseView())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer a key only in the views that it applies to."""
        views_of = {"share": (TABLE, PUBLISHED), "edition": (PUBLISHED,)}
        return self.at in views_of.get(action, (self.at,)) and super().check_action(action, parameters)

    def turn(self, at: int) -> None:
        """Show another view and its keys."""
        super().turn(at)
        self.refresh_bindings()

    def action_share(self) -> None:
        """Choose the next share of the shortest and longest."""
        at = SHARES.index(self.choices.share) if self.choices.share in SHARES else -1
        self.choose(replace(self.choices, share=SHARES[(at + 1) % len(SHARES)]))

    def action_collapse(self) -> None:
        """Show the collapse table, or the first one again."""
        self.turn(TABLE if self.at == COLLAPSE else COLLAPSE)
