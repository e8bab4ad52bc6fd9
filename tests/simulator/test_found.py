"""What the simulator found in the runner, each as the scenario that shows it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from core.errors import StoreFull
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


def test_weights_replaced_while_an_engine_loads_them_pause_the_run() -> None:
    with room() as folder:
        world = World(1, folder)
        with simulated(world):
            users.add(world, random.Random(2))
            assert world.kernel.run(30.0, lambda: bool(world.machine.alive("engine")))
            world.write_weights("b", in_place=False)  # after they were checked, before the engine reads them
            world.kernel.run(30.0)
            assert "paused" in world.states(world.store).values()
            world.write_weights("a")
            users.finish(world)
            world.kernel.run(30.0)
            assert set(world.states(world.store).values()) == {"done"}
            world.close()


@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5])
def test_weights_that_are_back_once_an_engine_has_loaded_others_are_loaded_again(seconds: float) -> None:
    with room() as folder:
        world = World(1, folder)
        with simulated(world):
            users.add(world, random.Random(2))
            assert world.kernel.run(30.0, lambda: bool(world.machine.alive("engine")))
            world.write_weights("b", in_place=False)
            world.kernel.run(seconds)
            world.write_weights("a", in_place=False)
            world.kernel.run(30.0)
            users.finish(world)
            world.kernel.run(30.0)
            assert set(world.states(world.store).values()) == {"done"}
            world.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunnerStore]:
    store = RunnerStore(tmp_path / "runs.db")
    store.take_over(0.0)
    store.connection.executescript(
        "INSERT INTO models VALUES (1, 'm', 'm', 'hf', 'f', NULL, NULL, NULL); INSERT INTO artifacts (id, model_id, compression, "
        "format) VALUES (1, 1, 'none', 'hf'); INSERT INTO variants (id, artifact_id) VALUES (1, 1); INSERT INTO jobs (kind, "
        "position, variant_id, created) VALUES ('prepare', 1, 1, 0)"
    )
    yield store
    store.retire()


def test_an_idle_runner_stays_for_a_job_that_came_while_it_decided_to_leave(store: RunnerStore) -> None:
    assert not store.leave(if_idle=True) and store.requests(None) == (False, None)
    store.connection.execute("UPDATE jobs SET state = 'done'")
    assert store.leave(if_idle=True) and store.requests(None) == (True, None)


def test_a_claim_that_was_stored_and_reported_as_failed_returns_to_the_queue(store: RunnerStore) -> None:
    assert store.claim(1)
    store.put_back_others([1])
    assert not store.startable()
    store.put_back_others([])
    assert [job.id for job in store.startable()] == [1]


def test_a_runner_whose_claim_was_reported_as_failed_goes_on_with_it() -> None:
    with room() as folder:
        world = World(1, folder)
        with simulated(world):
            claim = RunnerStore.claim

            def late(store: RunnerStore, job: int) -> bool:
                claimed = claim(store, job)
                if world.kernel.now < 5.0:
                    raise StoreFull("Writing failed.")
                return claimed

            with patch.object(RunnerStore, "claim", late):
                users.add(world, random.Random(1))
                world.kernel.run(60.0)
            assert set(world.states(world.store).values()) == {"done"}
            world.close()
