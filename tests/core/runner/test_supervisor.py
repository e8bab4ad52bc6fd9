"""How long a supervisor waits before it starts a runner again."""

from __future__ import annotations

from core.runner.supervisor import FIRST_DELAY_S, HEALTHY_S, LONGEST_DELAY_S, QUICK_RESTARTS, Backoff


def test_kills_that_come_now_and_then_cost_no_time() -> None:
    backoff = Backoff()
    assert {backoff.after(1.0, progressed=number % 4 == 0) for number in range(200)} == {FIRST_DELAY_S}
    assert {backoff.after(HEALTHY_S, progressed=False) for _ in range(200)} == {FIRST_DELAY_S}


def test_a_runner_that_gets_nowhere_is_started_ever_later() -> None:
    backoff = Backoff()
    pauses = [backoff.after(0.1, progressed=False) for _ in range(QUICK_RESTARTS + 20)]
    assert pauses[:QUICK_RESTARTS] == [FIRST_DELAY_S] * QUICK_RESTARTS
    assert pauses[QUICK_RESTARTS : QUICK_RESTARTS + 3] == [2.0, 4.0, 8.0]
    assert pauses == sorted(pauses) and pauses[-1] == LONGEST_DELAY_S
    assert backoff.after(0.1, progressed=True) == FIRST_DELAY_S
