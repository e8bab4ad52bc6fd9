"""The command palette: every key of the registry that works where the palette was opened, by its description."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui import keys


class KeyCommands(Provider):
    """Offers what the keys do, for those who do not know them yet."""

    def _offered(self) -> Iterator[tuple[keys.Key, partial[Any]]]:
        """Keys of the focused widget first, then of those around it, and what runs them."""
        known = {key.id: key for key in keys.KEYS}
        for active in {active.binding.id: active for active in self.screen.active_bindings.values()}.values():
            key = known.get(active.binding.id or "")
            if key is not None and active.enabled and key.action != "command_palette":
                yield key, partial(self.app.run_action, key.action, active.node)

    async def discover(self) -> Hits:
        """Everything, before anything is typed."""
        for key, run in self._offered():
            yield DiscoveryHit(key.description, run, help=key.shown)

    async def search(self, query: str) -> Hits:
        """What matches."""
        matcher = self.matcher(query)
        for key, run in self._offered():
            if (score := matcher.match(key.description)) > 0:
                yield Hit(score, matcher.highlight(key.description), run, help=key.shown)
