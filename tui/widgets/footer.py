"""The keys of the focused widget, drawn by one widget.

Textual's own footer mounts a new widget for each key whenever the focus changes. That takes 0.1 s, and the old widgets are
never freed, because each is bound to a property of the footer.
"""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding
from textual.content import Content
from textual.events import MouseDown
from textual.screen import Screen
from textual.style import Style
from textual.widget import Widget


class Footer(Widget, can_focus=False):
    """Shows the active bindings of its screen; a click on a key presses it."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar = {"footer--key", "footer--description"}

    def __init__(self) -> None:
        super().__init__()
        self._shown: list[Binding] = []

    def on_mount(self) -> None:
        """Subscribe to the screen's bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def render(self) -> Content:
        """Keys and descriptions in one line."""
        return Content(" ").join(map(self._key, self._shown))

    def on_mouse_down(self, event: MouseDown) -> None:
        """Press the key under the pointer."""
        if key := event.style.meta.get("key"):
            self.app.simulate_key(key)

    def _changed(self, screen: Screen[object]) -> None:
        if screen is not self.screen or not self.app.app_focus:
            return
        first: dict[str, Binding] = {}
        for _, binding, _, _ in screen.active_bindings.values():
            if binding.show:
                first.setdefault(binding.action, binding)
        if (shown := list(first.values())) != self._shown:
            self._shown = shown
            self.refresh()

    def _key(self, binding: Binding) -> Content:
        return Content.assemble(
            (self.app.get_key_display(binding), self.get_visual_style("footer--key")),
            (f" {binding.description}", self.get_visual_style("footer--description")),
        ).stylize(Style.from_meta({"key": binding.key}))
