"""What befalls processes, the disk and the clock."""

from __future__ import annotations

import random
import signal
from pathlib import Path

from tests.simulator.world import World

CLOCK_S = (-86_400.0, -3_600.0, 3_600.0, 31_536_000.0)


def kill_runner(world: World, rng: random.Random) -> None:
    """`kill -9` after some steps of its code: mostly soon, sometimes late, sometimes at once."""
    for process in world.machine.alive("runner"):
        process.points_left = rng.choice((1, rng.randrange(1, 30), rng.randrange(1, 600)))


def kill_supervisor(world: World, rng: random.Random) -> None:
    """`kill -9` of a supervisor."""
    for process in world.machine.alive("supervisor"):
        process.points_left = rng.randrange(1, 30)
        world.kernel.wake(process.tasks[0])


def kill_engine(world: World, rng: random.Random) -> None:
    """`kill -9` of an engine or a worker."""
    if engines := world.machine.alive("engine", "worker"):
        world.machine.kill(rng.choice(engines))


def kill_client(world: World, rng: random.Random) -> None:
    """`kill -9` of a command."""
    if clients := world.machine.alive("client"):
        rng.choice(clients).points_left = rng.randrange(1, 60)


def power_cut(world: World, rng: random.Random) -> None:
    """Everything ends at once, and what the disk was about to write is torn: half a page behind the log's last commit."""
    for process in world.machine.alive("runner", "supervisor", "engine", "worker", "client", "stranger"):
        world.machine.kill(process)
    for path in (*world.stores, *world.kept):
        log = Path(f"{path}-wal")
        if log.exists() and log.stat().st_size:
            with log.open("ab") as file:
                file.write(rng.randbytes(rng.randrange(1, 5000)))


def signal_one(world: World, rng: random.Random) -> None:
    """End a runner or a supervisor in order."""
    if processes := world.machine.alive("runner", "supervisor"):
        world.machine.send(rng.choice(processes), signal.SIGTERM)


def stranger(world: World, rng: random.Random) -> None:
    """A foreign process gets the number of an engine that has ended."""
    dead = [pid for pid, one in world.machine.processes.items() if one.number_is_free and one.kind in ("engine", "worker")]
    process = world.machine.process("stranger", pid=rng.choice(dead) if dead else None)
    world.say(f"{process.title} begins")


def disk(world: World, rng: random.Random) -> None:
    """The disk behaves badly for a while."""
    mode, seconds = rng.choice(("refused", "failing", "late", "slow")), rng.uniform(0.2, 6.0)
    world.disk.mode, world.disk.chance = mode, rng.choice((0.02, 0.2, 1.0))
    world.say(f"the disk is {mode} for {seconds:.1f} s ({world.disk.chance:g})")

    def recovered() -> None:
        world.disk.mode = ""

    world.later(seconds, recovered)


def clock(world: World, rng: random.Random) -> None:
    """The clock is set."""
    seconds = rng.choice(CLOCK_S)
    world.kernel.offset += seconds
    world.say(f"the clock jumps by {seconds:g} s")
