"""A silence is told once and long before it counts as a hang."""

from __future__ import annotations

import pytest

from core.engines.host import wire
from core.runner import watchdog
from core.runner.watchdog import FLAG_S, Watchdog


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: now[0])
    return now


def test_a_silence_is_told_within_a_minute_and_ended_at_its_limit(clock: list[float]) -> None:
    dog = Watchdog(300, 1800, wire.Ready("e", "1", 1, 100, prefills=True))
    assert dog.newly_quiet() is None
    clock[0] += FLAG_S
    assert FLAG_S < 60
    assert dog.newly_quiet() == 300 and dog.newly_quiet() is None
    assert dog.overdue() is None
    clock[0] += 300
    assert dog.overdue() == 300


def test_every_silence_is_told_anew_and_a_prompt_has_its_own_limit(clock: list[float]) -> None:
    dog = Watchdog(300, 1800, wire.Ready("e", "1", 1, 100))
    for limit in (1800, 300):
        dog.note(wire.Started("a", "p", 1, 9) if limit == 1800 else wire.Deltas((wire.Delta("a", "x", (1,)),)))
        clock[0] += FLAG_S - 1
        assert dog.newly_quiet() is None
        clock[0] += 2
        assert dog.newly_quiet() == limit
