"""One engine of a run, and the responses that it has under way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from core.collapse import Detector
from core.hosts import Host
from core.store.writes import Pending
from core.watchdog import Watchdog


@dataclass(slots=True)
class Stream:
    """A response under way, in memory: what is stored and what waits for the next tick."""

    pending: Pending
    text: str
    ids: list[int]
    seq: int
    detector: Detector = field(default_factory=Detector)
    new_text: list[str] = field(default_factory=list)
    new_ids: list[int] = field(default_factory=list)
    audited: bool = False
    verdict: tuple[str, int | None] = ("healthy", None)  # state and rounds, as they stand in the store
    stopped: bool = False
    began: float = field(default_factory=time.monotonic)
    entered: bool = False
    usage: Mapping[str, int] | None = None
    empty_replies: int = 0

    def restart(self) -> None:
        """Begin anew, without what was generated so far."""
        self.pending = replace(self.pending, text="", ids=(), chunks=0)
        self.text, self.ids, self.seq, self.new_text, self.new_ids = "", [], 0, [], []
        self.verdict, self.stopped = ("healthy", None), False

    def watch(self, limit: int) -> None:
        """Look for loops from the stored text on, with windows for what the engine says may come at most."""
        self.detector = Detector(limit)
        self.detector.feed(self.text)


@dataclass(slots=True)
class Replica:
    """One engine of a run, the streams that it has, and how it fares."""

    host: Host
    streams: dict[str, Stream] = field(default_factory=dict)
    asked: bool = False  # to load, since the run began or the engine died
    watchdog: Watchdog | None = None  # there from the moment that it is loaded
    slots: int | None = None  # fewer than the settings say, after memory ran out
    tries: int = 0  # deaths in a row
    gained: bool = False  # whether a response has finished since it last died
    waits_for: str = ""
    given_up: bool = False

    def takes_more(self, ahead: int) -> bool:
        """Whether it has a slot for another request, or it is to wait there as one of `ahead`."""
        return self.watchdog is not None and len(self.streams) < self.slots_loaded + ahead

    @property
    def slots_loaded(self) -> int:
        """Sequences side by side, as the engine said when it was loaded."""
        return self.host.ready.slots if self.host.ready else 1
