"""What thread workers share: handing a result back to the screen that asked, and starting the runner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

from textual.widget import Widget

from core.errors import LrmError

P = ParamSpec("P")


def hand_back(asker: Widget, callback: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call `callback` in the app's thread and wait for it, unless the screen of `asker` has been closed meanwhile."""
    if asker.is_attached:
        asker.app.call_from_thread(lambda: callback(*args, **kwargs) if _is_open(asker) else None)


def _is_open(asker: Widget) -> bool:
    """Whether the asker's screen is still open; a closing screen loses its widgets first, so `is_attached` is not enough."""
    app = asker.app
    return app.is_running and asker.is_attached and asker.screen in app.screen_stack


def start_runner(store: Path) -> LrmError | None:
    """Make sure that a runner serves the store. Returns the error where that fails, or None."""
    from core.runner.client import ensure_runner

    try:
        ensure_runner(store)
    except LrmError as error:
        return error
    return None
