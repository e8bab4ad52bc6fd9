"""How long a supervisor waits before it starts a runner again."""

from __future__ import annotations

from core.runner.supervisor import FREE_DEATHS, LATEST_S, LIVED_S, SOON_S, Backoff


def test_kills_that_come_now_and_then_cost_no_time() -> None:
    backoff = Backoff()
    assert {backoff.after(1.0, progressed=number % 4 == 0) for number in range(200)} == {SOON_S}
    assert {backoff.after(LIVED_S, progressed=False) for _ in range(200)} == {SOON_S}


def test_a_runner_that_gets_nowhere_is_started_ever_later() -> None:
    backoff = Backoff()
    pauses = [backoff.after(0.1, progressed=False) for _ in range(FREE_DEATHS + 20)]
    assert pauses[:FREE_DEATHS] == [SOON_S] * FREE_DEATHS
    assert pauses[FREE_DEATHS : FREE_DEATHS + 3] == [2.0, 4.0, 8.0]
    assert pauses == sorted(pauses) and pauses[-1] == LATEST_S
    assert backoff.after(0.1, progressed=True) == SOON_S
