"""From a worker's thread back to the screen that asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from textual.widget import Widget

P = ParamSpec("P")


def hand_back(asker: Widget, callback: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call `callback` in the app's thread and wait for it, unless the screen of `asker` has been left meanwhile."""
    if asker.is_attached:
        asker.app.call_from_thread(lambda: callback(*args, **kwargs) if _there(asker) else None)


def _there(asker: Widget) -> bool:
    """A screen that is being left loses its widgets first, so that being attached is not enough."""
    app = asker.app
    return app.is_running and asker.is_attached and asker.screen in app.screen_stack
