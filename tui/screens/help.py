"""The `?` screen, made from the registry of keys: the present pane first, then what works everywhere."""

from __future__ import annotations

from rich.text import Text

from tui import keys
from tui.screens.dialogs import Note


def help_screen(pane: str) -> Note:
    """Help for the pane that is shown."""
    return Note("Keys", keys_of((pane, "table", "app", *(other for other in keys.PANES if other != pane), "response", "form")))


def keys_of(screens: tuple[str, ...]) -> Text:
    """A table of keys, one group per screen."""
    shown = Text()
    for screen in screens:
        shown.append(f"{keys.TITLES[screen]}\n", "bold")
        for key in keys.of(screen):
            shown.append(f"  {key.label or key.key:<12}", "cyan").append(f"{key.description}\n")
    return shown
