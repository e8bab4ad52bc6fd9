"""The plan of a seed: what users and accidents do, and when. Only some kinds come in one seed, so that rare ones meet."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.simulator import accidents, files, users
from tests.simulator.engine import FAULTS
from tests.simulator.world import World

Action = Callable[[World, random.Random], None]

ACTIONS: dict[str, tuple[int, Action]] = {
    "add": (4, users.add),
    "start": (2, users.start),
    "start another": (1, users.start_another),
    "stop": (1, users.stop),
    "pause": (1, users.pause),
    "cancel": (1, users.cancel),
    "requeue": (2, users.requeue),
    "reorder": (1, users.reorder),
    "screen": (1, users.screen),
    "backup": (1, users.backup),
    "kill the runner": (4, accidents.kill_runner),
    "kill the supervisor": (1, accidents.kill_supervisor),
    "kill an engine": (2, accidents.kill_engine),
    "kill a command": (1, accidents.kill_client),
    "power cut": (1, accidents.power_cut),
    "signal": (1, accidents.signal_one),
    "stranger": (2, accidents.stranger),
    "disk": (3, accidents.disk),
    "clock": (1, accidents.clock),
    "settings": (1, files.half_edited_settings),
    "questions": (1, files.edit_questions),
    "prompt": (1, files.edit_prompt),
    "weights": (1, files.change_weights),
    "move": (1, files.move),
    "copy": (1, files.copy),
    "link": (1, files.link),
    "restore": (1, files.restore),
}
"""Each with its weight. All steps are drawn from it but the first, which adds the first runs."""
EVERY_ACTION = tuple(ACTIONS)
ALWAYS = ("add", "start")
SHARE = 0.35  # of the kinds, in one seed
SPAN_S = 7.0
MOST = 12


@dataclass(frozen=True, slots=True)
class Step:
    """One action at a time (virtual seconds), with a seed of its own, so that it is the same without the others."""

    number: int
    at: float
    action: str
    seed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps, and which engines' faults come how often."""

    steps: tuple[Step, ...]
    faults: tuple[str, ...]
    chance: float

    def only(self, numbers: Sequence[int] | None, faults: Sequence[str] | None) -> Plan:
        """The plan with these of its steps and faults alone; None: all."""
        steps = [step for step in self.steps if numbers is None or step.number in numbers]
        return Plan(tuple(steps), self.faults if faults is None else tuple(faults), self.chance)


def drawn(seed: int, actions: Sequence[str] = EVERY_ACTION) -> Plan:
    """The plan of a seed, of these kinds of actions."""
    rng = random.Random(f"plan {seed}")
    kinds = [name for name in actions if name in ALWAYS or rng.random() < SHARE]
    weights = [ACTIONS[name][0] for name in kinds]
    times = [0.0, *sorted(round(rng.uniform(0.0, SPAN_S), 2) for _ in range(rng.randrange(MOST)))]
    names = ["add", *rng.choices(kinds, weights, k=len(times) - 1)]
    steps = [Step(number, at, name, rng.getrandbits(32)) for number, (at, name) in enumerate(zip(times, names, strict=True))]
    faults = tuple(name for name in FAULTS if rng.random() < SHARE)
    return Plan(tuple(steps), faults, rng.choice((0.0, 0.3, 0.7)))
