"""What users do with files: edit, move, copy, link and restore them while runners are there."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

from core.jobs import queue
from core.runner import client
from core.store.connection import opened
from tests.simulator import users
from tests.simulator.world import SETTINGS, World

QUIET_S, LATEST_S = 3.0, 18.0
"""So long a store has had nothing to do when a user takes it for finished."""


def half_edited_settings(world: World, rng: random.Random) -> None:
    """The settings file is saved half-edited, and completed a while later."""
    world.write(world.settings, b"silence_s = \n[pyth")
    world.say("the settings are half-edited")
    world.later(rng.uniform(0.5, 8.0), lambda: world.write(world.settings, SETTINGS))


def edit_questions(world: World, rng: random.Random) -> None:
    """The questions get another wording."""
    number = rng.randrange(2, 99)
    world.say(f"the questions get wording {number}")
    world.write_questions(number, in_place=rng.random() < 0.5)


def edit_prompt(world: World, rng: random.Random) -> None:
    """The prompt gets another wording."""
    number = rng.randrange(2, 99)
    world.say(f"the prompt gets wording {number}")
    world.write_prompt(number, in_place=rng.random() < 0.5)


def change_weights(world: World, rng: random.Random) -> None:
    """The weights are replaced or written over, and mostly restored after a while."""
    letter, in_place = rng.choice("bc"), rng.random() < 0.5
    world.say(f"the weights become {letter}{' in place' * in_place}")
    world.write_weights(letter, in_place=in_place)
    if rng.random() < 0.7:
        world.later(rng.uniform(0.1, 8.0), lambda: world.write_weights("a", in_place=rng.random() < 0.5))


def move(world: World, rng: random.Random) -> None:
    """A finished store is moved away; all of it is in the moved file, and the next `add` begins a new one."""
    folder = _free(world.work, "archive")

    def now() -> None:
        folder.mkdir()
        moved = folder / "runs.db"
        world.say(f"{world.store} is moved to {moved}")
        _without_index(world.store)
        world.store.rename(moved)
        world.ledger_at(moved).check_copy(moved, world.scratch, "the moved store")
        world.kept.append(moved)
        if rng.random() < 0.7:
            world.later(rng.uniform(0.0, 3.0), lambda: users.add(world, rng))

    _when_quiet(world, world.store, now)


def copy(world: World, rng: random.Random) -> None:
    """The store is copied with its log, and a runner is started on the copy."""
    if not world.store.exists():
        return
    place = _free(world.work, "copy")
    place.mkdir()
    path = place / "runs.db"
    for end in ("", "-wal"):
        if Path(f"{world.store}{end}").exists():
            shutil.copyfile(f"{world.store}{end}", f"{path}{end}")
    world.say(f"{world.store} is copied to {path}")
    world.ledgers[path.stat().st_ino] = world.ledger_at(world.store).copy()
    world.stores.append(path)
    world.later(rng.uniform(0.0, 2.0), lambda: world.client("start", lambda: client.ensure_runner(path)))


def link(world: World, rng: random.Random) -> None:
    """The store gets a second name, under which a user goes on."""
    if not world.store.exists():
        return
    path = _free(world.work, "link").with_suffix(".db")
    os.link(world.store, path)
    world.links.append(path)
    world.say(f"{world.store} is linked as {path}")

    def on() -> None:
        with opened(path, "user") as connection:
            for (job,) in connection.execute("SELECT id FROM jobs WHERE state IN ('paused', 'failed')").fetchall():
                queue.requeue(connection, job)
        client.ensure_runner(path)

    world.later(rng.uniform(0.0, 4.0), lambda: world.client("start", on))


def restore(world: World, rng: random.Random) -> None:
    """A backup is put in the place of the store, with or without a stop of its runner before."""
    there = [path for path in world.backups if path.exists()]
    if not there:
        return
    backup, stops = rng.choice(there), rng.random() < 0.5

    def put() -> None:
        half = world.work / "restored.half"
        shutil.copyfile(backup, half)
        world.ledgers[half.stat().st_ino] = world.ledgers[backup.stat().st_ino].copy()
        _without_index(world.store)
        half.replace(world.store)
        world.say(f"{backup} is put in the place of {world.store}")
        world.later(rng.uniform(0.0, 3.0), lambda: users.start(world, rng))

    def stop_and_put() -> None:
        client.stop_runner(world.store)
        put()

    def now() -> None:
        if stops:
            world.client("stop", stop_and_put)
        else:
            put()

    _when_quiet(world, world.store, now)


def _without_index(path: Path) -> None:
    """The index of the log leaves its place: two databases would share it in this one process, which no two processes do."""
    Path(f"{path}-shm").unlink(missing_ok=True)


def _free(folder: Path, name: str) -> Path:
    """A name that nothing has."""
    return next(
        path for number in count() if not (path := folder / f"{name}{number}").exists() and not path.with_suffix(".db").exists()
    )


def _when_quiet(world: World, path: Path, do: Callable[[], None]) -> None:
    """Do something once a store has had nothing to do for a while; never where that does not come."""

    def look() -> None:
        ledger, now = world.ledger_at(path) if path.exists() else None, world.kernel.now
        if ledger is not None and not ledger.busy and not world.machine.alive("client") and now - ledger.changed_at > QUIET_S:
            do()
        elif ledger is not None and now < LATEST_S:
            world.later(0.7, look)
            return
        world.awaited -= 1

    world.awaited += 1
    look()
