"""What users do with commands and screens, each in a process of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

from core.errors import StoreError
from core.jobs import queue
from core.runner import client
from core.runner.supervisor import command
from core.spec import RunSpec, Sampling
from core.store.backup import backup as back_up
from core.store.connection import opened
from core.store.watch import Watch
from tests.simulator.world import World


def add(world: World, rng: random.Random) -> None:
    """Queue one or two runs and see that a runner serves."""
    path = rng.choice(world.stores)
    specs = [
        RunSpec(
            str(world.model), "none", "aime", "transformers", Sampling(max_tokens=64), seed=rng.randrange(3),
            limit=rng.choice((2, 3, 4, None)), data=world.data, prompts=world.prompts, samples=rng.choice((1, 1, 2)),
            replicas=rng.choice((1, 1, 1, 2)),
        )
        for _ in range(rng.choice((1, 1, 2)))
    ]  # fmt: skip

    def do() -> None:
        with opened(path, "user") as connection:
            queue.add(connection, specs)
        client.ensure_runner(path)

    world.client("add", do)


def start(world: World, rng: random.Random) -> None:
    """See that a runner serves."""
    path = rng.choice(world.stores)
    world.client("start", lambda: client.ensure_runner(path) if path.exists() else None)


def start_another(world: World, rng: random.Random) -> None:
    """Start a runner, or a supervisor, past the one that may serve."""
    path, arguments = rng.choice(world.stores), rng.choice((["--serve"], []))
    world.client("start another", lambda: world.launch([*command(path), *arguments], {}) if path.exists() else None)


def stop(world: World, rng: random.Random) -> None:
    """Stop the runner."""
    path = rng.choice(world.stores)
    world.client("stop", lambda: client.stop_runner(path) if path.exists() else None)


def _on_a_job(name: str, do: Callable[..., None]) -> Callable[[World, random.Random], None]:
    def action(world: World, rng: random.Random) -> None:
        path = rng.choice(world.stores)
        jobs = sorted(world.ledger_at(path).jobs) if path.exists() else []
        if not jobs:
            return
        job, step = rng.choice(jobs), rng.choice((-1, 1))

        def change() -> None:
            with opened(path, "user") as connection:
                do(connection, job, *([step] if name == "reorder" else []))

        world.client(name, change)

    return action


pause = _on_a_job("pause", queue.pause)
cancel = _on_a_job("cancel", queue.cancel)
requeue = _on_a_job("requeue", queue.requeue)
reorder = _on_a_job("reorder", queue.move)


def screen(world: World, rng: random.Random) -> None:
    """Watch the store for a while: what has finished stays so."""
    path, times = rng.choice(world.stores), rng.randrange(2, 8)

    def do() -> None:
        with opened(path, "reader") as connection:
            watch, finished = Watch(connection, lambda: world.kernel.now), 0
            for _ in range(times):
                seen = watch.read().finished_responses
                if seen < finished:
                    world.kernel.violated(f"a screen saw {finished} finished responses, then {seen}")
                finished = seen
                world.kernel.sleep(0.3)

    world.client("screen", do)


def backup(world: World, _rng: random.Random) -> None:
    """Make a backup; what was acknowledged when it began is in it."""
    path = world.store
    if not path.exists():
        return
    destination = world.work / f"backup{len(world.backups)}.db"
    world.backups.append(destination)
    held = world.ledger_at(path).copy()

    def do() -> None:
        back_up(path, destination)
        world.say(f"the backup {destination} is there")
        world.ledgers[destination.stat().st_ino] = held
        held.check_copy(destination, world.scratch, "the backup")

    world.client("backup", do)


def finish(world: World) -> None:
    """What a user does when all accidents are over: requeue what did not end well, and see that runners serve."""
    for path in world.stores:
        if path.exists():
            world.client("finish", partial(_finish, world, path))


def _finish(world: World, path: Path) -> None:
    """Under this name, or under the other one that a refusal advises."""
    for name in (path, *(link for link in world.links if link.exists() and link.samefile(path))):
        try:
            jobs = [job for job, state in world.states(path).items() if state in ("failed", "paused")]
            with opened(name, "user") as connection:
                for job in jobs:
                    queue.requeue(connection, job)
            client.ensure_runner(name)
            return
        except StoreError as error:
            world.say(f"refused: {error}")


def finish_all(world: World) -> None:
    """Stop all runners."""
    for path in (*world.stores, *world.links):
        if path.exists():
            world.client("stop", partial(client.stop_runner, path))
