"""The keys of what has the focus, in one line and one widget.

Textual's own footer mounts a widget a key anew at every change of focus, which takes a tenth of a second, and its keys are
never let go of: each is bound to a property of the footer.
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
    """Follows the bindings of its screen; a click on a key presses it."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar = {"footer--key", "footer--description"}

    def __init__(self) -> None:
        super().__init__()
        self._shown: list[Binding] = []

    def on_mount(self) -> None:
        """Follow the screen."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def render(self) -> Content:
        """The line."""
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
