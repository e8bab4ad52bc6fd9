"""Makes a failing plan smaller: without one step or fault after the other, as long as the same invariant breaks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from tests.simulator.plan import Plan


def kind(violation: str | None) -> str:
    """A violation without its numbers, places and texts: what it has in common with the same one of another plan."""
    return re.sub(r"'.*|\S*\d\S* ?|\S+\.db|^\w+ (?= opens)", "", violation or "")


def shrunk(plan: Plan, fails: Callable[[Plan], str | None]) -> Plan:
    """The smallest plan found that fails in the same way; `fails` gives the violation of a plan."""
    wanted = kind(fails(plan))
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(plan):
            if kind(fails(candidate)) == wanted:
                plan, smaller = candidate, True
                break
    return plan


def _smaller(plan: Plan) -> list[Plan]:
    without_faults = [replace(plan, faults=())] if plan.faults else []
    steps = [replace(plan, steps=plan.steps[:at] + plan.steps[at + 1 :]) for at in reversed(range(1, len(plan.steps)))]
    faults = [replace(plan, faults=tuple(one for one in plan.faults if one != fault)) for fault in plan.faults]
    halves = [replace(plan, steps=plan.steps[: len(plan.steps) // 2])] if len(plan.steps) > 3 else []
    return [*halves, *without_faults, *steps, *(faults if len(plan.faults) > 1 else [])]
