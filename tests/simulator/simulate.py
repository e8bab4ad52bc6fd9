"""One seed from its begin to its end, and what must hold there."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from pathlib import Path

from tests.simulator import users
from tests.simulator.kernel import Violation
from tests.simulator.patches import simulated
from tests.simulator.plan import ACTIONS, Plan
from tests.simulator.world import QUESTIONS, SETTINGS, Lines, World

TAIL_S, AWAITED_S = 3.0, 12.0
END_S = 900.0
STOP_S = 60.0
_LEFT = f"""
SELECT j.id, j.state, coalesce(j.item_limit, {QUESTIONS}) * j.samples, (SELECT count(*) FROM responses WHERE job_id = j.id),
       (SELECT count(*) FROM responses WHERE job_id = j.id AND state = 'done') FROM jobs j WHERE kind = 'run' AND state <> 'cancelled'
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What a seed came to: the first violation, if any, the log of events and its hash."""

    violation: str | None
    log: tuple[str, ...]
    digest: str


def simulate(seed: int, plan: Plan, folder: Path) -> Result:
    """Run the plan of a seed in a folder."""
    world = World(seed, folder)
    lines, log = Lines(world), logging.getLogger("lrm")
    before = log.level, log.propagate
    log.addHandler(lines)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        with simulated(world):
            try:
                _play(world, plan)
                violation = None
            except Violation as found:
                violation = str(found)
            finally:
                world.close()
    finally:
        log.removeHandler(lines)
        log.level, log.propagate = before
    return Result(violation, tuple(world.kernel.log), world.kernel.digest)


def _play(world: World, plan: Plan) -> None:
    world.mishaps.kinds, world.mishaps.chance = plan.faults, plan.chance
    for step in plan.steps:
        world.kernel.run(step.at - world.kernel.now)
        world.say(f"step: {step.action}")
        ACTIONS[step.action][1](world, random.Random(step.seed))
    world.kernel.run(AWAITED_S, lambda: not world.awaited)
    world.kernel.run(TAIL_S)
    _settle(world)


def _settle(world: World) -> None:
    """All accidents end: then every job must, too, and everything must be there."""
    world.say("the accidents are over")
    world.over = True
    for process in world.machine.alive("runner", "supervisor", "client"):
        process.points_left = None
    world.disk.mode, world.mishaps.chance = "", 0.0
    world.write(world.settings, SETTINGS)
    world.kernel.run(STOP_S, lambda: not world.machine.alive("client"))
    for letter in sorted(set(world.weights.values())):
        world.write_weights(letter)
        _finish(world)
    _check_ends(world)
    users.finish_all(world)
    world.kernel.run(STOP_S, lambda: not world.machine.alive("runner", "supervisor", "client"))
    world.kernel.run(1.0)
    children = () if world.links else ("engine", "worker")  # one that hangs under a name which nobody serves any more stays
    if left := world.machine.alive("runner", "supervisor", "client", *children):
        world.kernel.violated(f"{', '.join(one.kind for one in left)} left at the end")
    for path in (*world.stores, *world.kept, *world.backups):
        if path.exists():
            world.ledger_at(path).check_copy(path, world.scratch, f"at the end, {path.relative_to(world.folder)}")
    world.kernel.run(0)


def _finish(world: World) -> None:
    """Requeue what did not end well, until all has ended. A job may fail once more by an accident of before."""
    for _ in range(4):
        users.finish(world)
        world.kernel.run(0.5)
        if not world.kernel.run(END_S, lambda: _at_rest(world)):
            world.kernel.violated(f"the queue stands still for {END_S:g} s")
            world.kernel.run(0)
        if all(state in ("done", "cancelled") for path in world.stores for state in world.states(path).values()):
            return


def _at_rest(world: World) -> bool:
    """Whether no command runs and no store has anything queued."""
    return not world.machine.alive("client") and not any(world.ledger_at(path).busy for path in world.stores if path.exists())


def _check_ends(world: World) -> None:
    for path in world.stores:
        for job, state, wanted, planned, done in world.peek(path, _LEFT) if path.exists() else ():
            if state != "done" or done != wanted or planned != wanted:
                world.kernel.violated(f"run {job} ended as {state} with {done} of {planned} responses, {wanted} were asked for")
    world.kernel.run(0)
