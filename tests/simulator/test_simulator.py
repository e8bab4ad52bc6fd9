"""The short form of the simulator: seeds of which each must hold, and that it would notice if one did not."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.simulator.__main__ import batch, one
from tests.simulator.kernel import Kernel
from tests.simulator.ledger import Ledger
from tests.simulator.machine import Machine
from tests.simulator.patches import simulated
from tests.simulator.plan import EVERY_ACTION, Plan, Step, drawn
from tests.simulator.plants import PLANTS
from tests.simulator.shrink import kind, shrunk
from tests.simulator.threads import Event, RLock
from tests.simulator.world import World, memory_folder

SEEDS = 200
FOUND_BY = {"2": (36,), "3": (4,), "4": (12,), "5": (30,), "8": (20,), "8, at the runner": (10,)}
"""Seeds that find each planted fault; `python -m tests.simulator --plant N` looks for others, should the plans change."""


@pytest.fixture
def room() -> Iterator[Path]:
    folder = memory_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("first", range(0, SEEDS, 50))
def test_every_invariant_holds_for_every_seed(first: int) -> None:
    failed = batch(first, first + 50, None, EVERY_ACTION)
    assert not failed, "\n".join(f"{what}\n  python -m tests.simulator --seed {seed}" for seed, what in failed)


def test_a_seed_gives_the_same_events_whatever_the_hashes_of_texts_are() -> None:
    script = "from tests.simulator.__main__ import one; print([one(seed).digest for seed in range(3)])"
    digests = {
        subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, "PYTHONHASHSEED": number}, capture_output=True, check=True
        ).stdout
        for number in ("1", "2")
    }
    assert len(digests) == 1
    assert len({one(seed).digest for seed in range(3)}) == 3


def test_tasks_take_turns_in_an_order_of_the_seed() -> None:
    def order(seed: int) -> str:
        kernel = Kernel(seed)
        process, said = Machine(kernel).process("client"), []

        def speak(name: str) -> None:
            for _ in range(5):
                said.append(name)
                kernel.point()

        for name in "abc":
            kernel.start(process, partial(speak, name), name)
        kernel.run(1.0)
        return "".join(said)

    orders = {order(seed) for seed in range(20)}
    assert order(3) == order(3) and len(orders) > 10 and all(sorted(one) == sorted("abc" * 5) for one in orders)


def test_time_passes_only_where_all_wait() -> None:
    kernel = Kernel(0)
    process, event, seen = Machine(kernel).process("client"), Event(kernel), []
    kernel.start(process, lambda: seen.append((event.wait(30.0), kernel.now)), "waits")
    kernel.start(process, lambda: seen.append((event.wait(2.0), kernel.now)), "gives up")
    kernel.later(10.0, event.set)
    kernel.run(60.0)
    assert seen == [(False, 2.0), (True, 10.0)] and kernel.now == 60.0


def test_a_killed_process_does_nothing_more_and_wakes_those_who_wait_for_it() -> None:
    kernel = Kernel(0)
    machine = Machine(kernel)
    victim, other, did = machine.process("client"), machine.process("client"), []
    lock = RLock(kernel)

    def work() -> int:
        try:
            with lock:
                kernel.sleep(100.0)
        finally:
            kernel.point()  # a process that was killed cannot even do this
            did.append("cleaned up")
        return 0

    victim.begin(work)
    kernel.start(other, lambda: did.append(f"gone at {machine.wait(victim) and kernel.now}"), "waits")
    kernel.later(3.0, lambda: machine.kill(victim))
    kernel.run(200.0)
    assert did == ["gone at 3.0"] and victim.code == -9


def test_what_a_killed_process_has_committed_lies_in_the_log_and_nothing_else_does(room: Path) -> None:
    world = World(0, room)
    with simulated(world):

        def write() -> int:
            connection = world.sqlite.connect(world.store, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("INSERT INTO notices (at, level, message) VALUES (1, 'info', 'committed')")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO notices (at, level, message) VALUES (2, 'info', 'not committed')")
            world.kernel.sleep(100.0)
            return 0

        writer = world.machine.process("client")
        writer.begin(write)
        world.kernel.run(1.0)
        before = world.store.read_bytes()
        world.machine.kill(writer)
        assert world.store.read_bytes() == before, "closing must not checkpoint"
        assert world.peek(world.store, "SELECT message FROM notices") == [("committed",)]
        world.close()


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("DELETE FROM jobs WHERE id = 2", "1 of 2 acknowledged jobs are gone"),
        ("UPDATE jobs SET seed = 9 WHERE id = 2", "job 2 has changed"),
        ("UPDATE jobs SET attempts = 7 WHERE id = 2", "7 attempts and 0 starts"),
        ("UPDATE jobs SET remedy = 'This is a defect', error = 'oh' WHERE id = 2", "failed as a defect: oh"),
    ],
)
def test_the_ledger_notices(room: Path, damage: str, found: str) -> None:
    world = World(0, room)
    violations: list[str] = []
    ledger = Ledger(violations.append, {})
    connection = sqlite3.connect(world.store)
    connection.executescript(
        "INSERT INTO models VALUES (1, 'm', 'm', 'hf', 'f', NULL, NULL, NULL); INSERT INTO artifacts (id, model_id, compression, "
        "format) VALUES (1, 1, 'none', 'hf'); INSERT INTO variants (id, artifact_id) VALUES (1, 1); INSERT INTO jobs (kind, "
        "position, variant_id, created) VALUES ('prepare', 1, 1, 0), ('prepare', 2, 1, 0)"
    )
    ledger.read(connection, "here")
    assert not violations
    connection.executescript(damage)
    ledger.read(connection, "here")
    connection.close()
    assert found in violations[0]


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE jobs SET prompt_version = 'two' WHERE id = 1", "run 1 asks p01 under the version of p02"),
        ("UPDATE jobs SET benchmark_version = 'b' WHERE id = 1", "run 2 asks wording002 under the version of wording001"),
        ("UPDATE responses SET item_id = 1 WHERE job_id = 2 AND position = 0", "run 2 mixes 2 versions of its questions"),
        (
            "UPDATE response_texts SET prompt = 'p07 q' WHERE response_id = 1",
            "run 1 mixes 1 versions of its questions, 2 of its",
        ),
    ],
)
def test_the_ledger_notices_inputs_that_mix_or_have_another_version(room: Path, damage: str, found: str) -> None:
    world = World(0, room)
    violations: list[str] = []
    connection = sqlite3.connect(world.store)
    connection.executescript(
        "INSERT INTO models VALUES (1, 'm', 'm', 'hf', 'f', NULL, NULL, NULL); INSERT INTO artifacts (id, model_id, compression, "
        "format) VALUES (1, 1, 'none', 'hf'); INSERT INTO variants (id, artifact_id) VALUES (1, 1); INSERT INTO prompts VALUES "
        "('one', 'p01 {problem}', 0), ('two', 'p02 {problem}', 0)"
    )
    for run, (version, prompt) in enumerate((("a", "one"), ("b", "two")), 1):
        connection.execute(
            "INSERT INTO jobs (kind, position, variant_id, benchmark, engine, sampling, created, prompt_version, "
            "benchmark_version) VALUES ('run', 1, 1, 'aime', 'transformers', '{}', 0, ?, ?)",
            (prompt, version),
        )
        for position in (0, 1):
            item = connection.execute(
                "INSERT INTO items (benchmark, key, revision, fields, gold) VALUES ('aime', ?, ?, ?, '[]')",
                (f"q{position}", str(run), f"wording{run:03} of problem {position}"),
            ).lastrowid
            response = connection.execute(
                "INSERT INTO responses (job_id, item_id, position, seed, state, finish_reason) VALUES (?, ?, ?, 0, 'done', 'length')",
                (run, item, position),
            ).lastrowid
            connection.execute("INSERT INTO response_texts VALUES (?, ?, 'a', NULL)", (response, f"p{run:02} q"))
    Ledger(violations.append, {}).read(connection, "here")
    assert not violations
    connection.executescript(damage)
    Ledger(violations.append, {}).read(connection, "here")
    connection.close()
    assert found in violations[0]


def test_a_failing_plan_shrinks_to_the_steps_that_it_takes() -> None:
    plan = Plan(tuple(Step(number, float(number), name, 0) for number, name in enumerate("abcdefg")), ("x", "y"), 0.5)

    def fails(plan: Plan) -> str | None:
        names = {step.action for step in plan.steps}
        return f"job {len(names)} is lost" if {"b", "f"} <= names and "y" in plan.faults else None

    small = shrunk(plan, fails)
    assert [step.action for step in small.steps] == ["a", "b", "f"] and small.faults == ("y",)
    assert kind("job 3 is lost") == kind("job 55 is lost") != kind("the queue stands still")


def test_a_plan_replays_by_its_numbers() -> None:
    plan = drawn(5)
    part = plan.only([0, 2], [])
    assert part.steps == (plan.steps[0], plan.steps[2]) and part.faults == ()


@pytest.mark.parametrize("plant", sorted(PLANTS))
def test_a_fault_that_is_planted_again_is_found(plant: str) -> None:
    assert any(one(seed, plant=plant).violation for seed in FOUND_BY[plant])
