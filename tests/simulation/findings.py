"""How often findings are found where there is nothing, and where there is something: `python -m tests.simulation.findings`.

Nothing is there: compression changes nothing, lengths say nothing about outcomes, and where pruning ends a benchmark has
nothing to do with what the benchmark asks for. But questions are easy or hard, long or short for all variants and models alike,
and a benchmark ends at one sparsity in all models. At most 5 % of such stores may have any finding.

Where pruning ends benchmarks, a benchmark of knowledge that happens to end early is worse kept by pruning at the same reasoning
score: the claim that names it is true of that store. So it does not count there.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from core.results.rows import Findings
from core.results.tables.findings import LEVEL, found
from tests.simulation.stores import COMPRESSIONS, Design, falling, flat, simulated

DESIGNS = tuple(
    Design(variants, samples, families)
    for variants, samples, families in (
        (1, 1, 2),
        (2, 1, 2),
        (7, 1, 2),
        (23, 1, 2),
        (23, 1, 4),
        (7, 3, 3),
        (23, 3, 2),
        (7, 10, 2),
    )
)


def false_findings(result: Findings) -> list[str]:
    """The names of what is found."""
    names = [claim["claim"] for claim in result["claims"] if claim["verdict"] in ("supported", "contradicted")]
    for row in result["ranking"]:
        names += [f"ranking {kind}" for kind in ("reasoning", "knowledge") if (p := row[f"{kind}_p"]) is not None and p < LEVEL]
    return names


def without_named(result: Findings) -> Findings:
    """Without the ranking, and without the claim about the benchmark of knowledge that was asked."""
    claims = [claim for claim in result["claims"] if not claim["claim"].startswith("Quantization keeps")]
    return {**result, "claims": claims, "ranking": []}


def rates(stores: Iterable[Findings]) -> tuple[int, float, Counter[str]]:
    """How many stores, the share with any finding, and how many have each."""
    each: Counter[str] = Counter()
    total = wrong = 0
    for result in stores:
        names = set(false_findings(result))
        total, wrong = total + 1, wrong + bool(names)
        each.update(names)
    return total, wrong / total, each


def nothing(design: Design, stores: int, seed: int, ending: bool) -> tuple[int, float, Counter[str]]:
    """Stores of a design in which there is nothing; with `ending` pruning ends benchmarks at random points.

    There pruning does cost, so that only the claims count.
    """

    def results() -> Iterable[Findings]:
        for number in range(stores):
            rng = np.random.default_rng([seed, number])
            result = found(simulated(rng, design, falling(rng) if ending else flat()))
            yield without_named(result) if ending else result

    return rates(results())


def something(design: Design, stores: int, seed: int) -> Counter[str]:
    """How often effects are found: lengths that matter, pruning that costs, knowledge that pruning loses first."""
    ability = {
        (benchmark, name): 1.0 - (0.03 * share)
        for benchmark in ("aime", "folio", "temporal", "musique")
        for name in COMPRESSIONS
        for share in [float(name.rpartition("-")[2]) if name.startswith(("sparsegpt", "magnitude", "wanda")) else 0.0]
    }
    less = {name: -1.5 for name in COMPRESSIONS if name.startswith(("sparsegpt", "magnitude", "wanda"))}
    names: Counter[str] = Counter()
    for number in range(stores):
        rng = np.random.default_rng([seed, number])
        names.update(set(false_findings(found(simulated(rng, design, ability, 1.0, less)))))
    return names


def main() -> None:
    """Print a line a design, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--designs", type=int, nargs="+", default=range(1, len(DESIGNS) + 1), help="their numbers, from 1")
    given = parser.parse_args()
    print("| variants | samples | models | what | stores with a finding | which |\n| --- | --- | --- | --- | --- | --- |")
    table: tuple[tuple[str, Callable[[Design], tuple[int, float, Counter[str]]]], ...] = (
        ("nothing", lambda design: nothing(design, given.stores, given.seed, False)),
        ("nothing but ends", lambda design: nothing(design, given.stores, given.seed, True)),
    )
    for design in (DESIGNS[number - 1] for number in given.designs):
        about = f"| {design.variants} | {design.samples} | {design.families} |"
        for what, of in table:
            total, share, each = of(design)
            print(f"{about} {what} | {share:.1%} of {total} | {', '.join(f'{n}: {k}' for n, k in each.most_common())} |")
        effects = something(design, max(10, given.stores // 4), given.seed)
        print(
            f"{about} effects | | {', '.join(f'{n}: {k}' for n, k in effects.most_common())} of {max(10, given.stores // 4)} |"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
