"""The `?` screen, made from the registry of keys, and the list of notices."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.text import Text
from textual.widget import Widget
from textual.widgets import DataTable

from core.store.snapshot import Notice
from tui import keys
from tui.dialogs.messages import Note
from tui.shown import lines, safe
from tui.widgets.lazy_table import LazyTable

LEVELS = {"info": "", "warning": "yellow", "error": "bold red"}


def help_screen(pane: str, focused: Widget | None) -> Note:
    """Keys of the pane that is shown, of a focused table, of the app, then all others."""
    focus = ("table",) if isinstance(focused, DataTable | LazyTable) else ()
    return Note("Keys", keys_of(tuple(dict.fromkeys((pane, *focus, "app", *keys.TITLES)))))


def keys_of(screens: Sequence[str]) -> Text:
    """The keys of these screens, one group a screen."""
    shown = Text()
    for screen in screens:
        shown.append(f"{keys.TITLES[screen]}\n", "bold")
        for key in keys.of(screen):
            shown.append(f"  {key.shown:<12}", "cyan").append(f"{key.description}\n")
    return shown


def notices_screen(notices: Sequence[Notice]) -> Note:
    """The last notices with their remedies, newest first."""
    body = Text() if notices else lines("Nothing has happened yet.", "dim")
    for notice in notices:
        stamp = time.strftime("%m-%d %H:%M", time.localtime(notice.at))
        body.append(f"{stamp}  ", "dim").append_text(safe(notice.message, LEVELS.get(notice.level, "")))
        body.append_text(lines(f" {notice.remedy}\n" if notice.remedy else "\n"))
    return Note("Notices", body)
