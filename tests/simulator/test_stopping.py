"""What is queued while a runner ends is not left to nobody: found by the simulator, and kept as its scenario."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from core.runner import client
from core.store.runner_store import RunnerStore
from tests.simulator import users
from tests.simulator.__main__ import room
from tests.simulator.patches import simulated
from tests.simulator.world import World


@pytest.mark.parametrize("how", ["stop", "signal"])
def test_a_run_queued_while_the_runner_ends_gets_another_runner(how: str) -> None:
    with room() as folder:
        world = World(1, folder)
        world.mishaps.kinds, world.mishaps.chance = ("deaf",), 1.0  # its engine takes five seconds to end
        with simulated(world):
            users.add(world, random.Random(1))
            assert world.kernel.run(30.0, lambda: bool(world.machine.alive("engine")))
            (runner,) = world.machine.alive("runner")
            if how == "stop":
                world.client("stop", lambda: client.stop_runner(world.store))
            else:
                world.machine.send(runner, 15)
            world.kernel.run(2.0)
            assert runner.alive, "it still waits for its engine"
            users.add(world, random.Random(2))
            world.kernel.run(1.0)
            assert world.kernel.run(60.0, lambda: not world.ledger_at(world.store).busy)
            assert not runner.alive
            world.close()


def test_an_idle_runner_stays_for_a_job_that_came_while_it_decided_to_leave(tmp_path: Path) -> None:
    store = RunnerStore(tmp_path / "runs.db")
    store.take_over(0.0)
    store.connection.executescript(
        "INSERT INTO models VALUES (1, 'm', 'm', 'hf', 'f', NULL, NULL, NULL); INSERT INTO artifacts (id, model_id, compression, "
        "format) VALUES (1, 1, 'none', 'hf'); INSERT INTO variants (id, artifact_id) VALUES (1, 1); INSERT INTO jobs (kind, "
        "position, variant_id, created) VALUES ('prepare', 1, 1, 0)"
    )
    assert not store.leave(if_idle=True) and store.requests(None) == (False, None)
    store.connection.execute("UPDATE jobs SET state = 'done'")
    assert store.leave(if_idle=True) and store.requests(None) == (True, None)
    store.retire()
