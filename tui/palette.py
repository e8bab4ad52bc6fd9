"""The command palette: lists every key that works where it was opened, by its description."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import suppress
from functools import partial

from textual import work
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.css.query import NoMatches

from tui import keys


class KeyCommands(Provider):
    """Offers the action of each key."""

    def _offered(self) -> Iterator[tuple[keys.Key, partial[Coroutine[object, object, bool]]]]:
        """Active keys, each with a call that runs its action: of the screen first, then of the app, then of tables."""
        active = {one.binding.id: one for one in self.screen.active_bindings.values() if one.enabled}
        order = {"app": 1, "table": 2}
        for key in sorted(keys.KEYS, key=lambda key: order.get(key.screen, 0)):
            if key.id in active and key.action != "command_palette":
                yield key, partial(self.app.run_action, key.action, active[key.id].node)

    async def discover(self) -> Hits:
        """All of them, before anything is typed."""
        for key, run in self._offered():
            yield DiscoveryHit(key.description, run, help=key.shown)

    async def search(self, query: str) -> Hits:
        """Those whose description matches what is typed."""
        matcher = self.matcher(query)
        for key, run in self._offered():
            if (score := matcher.match(key.description)) > 0:
                yield Hit(score, matcher.highlight(key.description), run, help=key.shown)


class Palette(CommandPalette):
    """Textual's palette, but results and timers that arrive while it closes no longer crash the app."""

    def _watch__list_visible(self) -> None:
        with suppress(NoMatches):
            super()._watch__list_visible()

    async def _watch__show_busy(self) -> None:
        with suppress(NoMatches):
            await super()._watch__show_busy()

    @work(exclusive=True, group=CommandPalette._GATHER_COMMANDS_GROUP)
    async def _gather_commands(self, search_value: str) -> None:
        with suppress(NoMatches):
            await CommandPalette._gather_commands.__wrapped__(self, search_value)  # type: ignore[attr-defined]  # the coroutine
