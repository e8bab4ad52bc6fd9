"""`python -m tests.simulator --seeds 10000`: run seeds; a failing one is printed, shrunk, and can be run again by its number."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.simulator.plan import ACTIONS, EVERY_ACTION, Plan, drawn
from tests.simulator.plants import PLANTS, planted
from tests.simulator.shrink import kind, shrunk
from tests.simulator.simulate import Result, simulate
from tests.simulator.world import memory_folder

BATCH = 50


@contextmanager
def room() -> Iterator[Path]:
    """A folder in memory, removed at the end."""
    folder = memory_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def one(seed: int, plan: Plan | None = None, plant: str | None = None, actions: Sequence[str] = EVERY_ACTION) -> Result:
    """Simulate one seed."""
    with room() as folder, planted(plant):
        return simulate(seed, plan or drawn(seed, actions), folder)


def batch(first: int, last: int, plant: str | None, actions: Sequence[str]) -> list[tuple[int, str]]:
    """The violations of some seeds."""
    with room() as folder, planted(plant):
        found = ((seed, simulate(seed, drawn(seed, actions), folder).violation) for seed in range(first, last))
        return [(seed, violation) for seed, violation in found if violation is not None]


def explain(seed: int, violation: str, plant: str | None, actions: Sequence[str]) -> str:
    """A failing seed for people: what broke, the smallest plan found, and the command that runs it again."""
    plan = shrunk(drawn(seed, actions), lambda smaller: one(seed, smaller, plant).violation)
    steps = "\n".join(f"  {step.number:3} {step.at:6.2f} s  {step.action}" for step in plan.steps)
    options = ["--seed", str(seed), "--steps", *(str(step.number) for step in plan.steps), "--faults", *plan.faults]
    if tuple(actions) != EVERY_ACTION:
        options += ["--actions", *actions]
    options += ["--plant", plant] if plant else []
    faults = f"  faults of engines: {', '.join(plan.faults) or 'none'}"
    return f"seed {seed}: {violation}\n{steps}\n{faults}\n  python -m tests.simulator {shlex.join(options)}"


def many(first: int, seeds: int, plant: str | None, actions: Sequence[str], workers: int, on: bool) -> int:
    """Run many seeds; ends at the first that fails, unless it shall go `on`. Returns the exit status."""
    began, met, run = time.monotonic(), Counter[str](), 0
    with ProcessPoolExecutor(workers) as pool:
        starts = range(first, first + seeds, BATCH)
        ends = [min(start + BATCH, first + seeds) for start in starts]
        for end, start, found in zip(
            ends, starts, pool.map(batch, starts, ends, *_same(len(starts), plant, actions)), strict=True
        ):
            run += end - start
            for seed, violation in found:
                if not met[kind(violation)]:
                    print(explain(seed, violation, plant, actions), flush=True)
                met[kind(violation)] += 1
                if not on:
                    pool.shutdown(cancel_futures=True)
                    print(f"found after {seed - first + 1} seeds")
                    return 1
    print(f"{run} seeds in {time.monotonic() - began:.0f} s, {sum(met.values())} of them failed")
    for what, times in met.most_common():
        print(f"  {times:6} {what}")
    return 1 if met else 0


def _same(length: int, *values: object) -> list[list[object]]:
    return [[value] * length for value in values]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one, and print all that happens")
    parser.add_argument("--steps", type=int, nargs="*", help="with --seed: only these steps of its plan")
    parser.add_argument("--faults", nargs="*", help="with --seed: only these faults of engines")
    parser.add_argument("--actions", nargs="+", choices=tuple(ACTIONS), default=EVERY_ACTION, help="draw from these alone")
    parser.add_argument("--plant", choices=sorted(PLANTS), help="take the mend of a known fault out")
    parser.add_argument("--on", action="store_true", help="go on after a failing seed, and count what breaks")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    if given.seed is None:
        return many(given.first, given.seeds, given.plant, given.actions, given.workers, given.on)
    result = one(given.seed, drawn(given.seed, given.actions).only(given.steps, given.faults), given.plant)
    print("\n".join(result.log))
    print(result.violation or "every invariant holds")
    return 1 if result.violation else 0


if __name__ == "__main__":
    sys.exit(main())
