"""How often the intervals hold the truth: `python -m tests.simulation.coverage` prints the table of docs/statistics.md.

`--only FAMILY` (mean, average, corrected, difference, recovery), `--repetitions N` a design (default 10,000), `--seed N`. Below the
table stands every design that misses a bar.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

import numpy as np

from tests.simulation.designs import FAMILIES, Row
from tests.simulation.measures import Measured


def measured(rows: Iterator[Row], repetitions: int, seed: int) -> Iterator[tuple[str, str, Measured]]:
    """Each row's name, design and figures; a design's draws depend on its place alone."""
    for place, (name, words, measure) in enumerate(rows):
        yield name, words, measure(np.random.default_rng([seed, place]), repetitions)


def _range(values: list[float], form: str = "{:.1f}", factor: float = 100) -> str:
    if not values:
        return ""
    low, high = form.format(factor * min(values)), form.format(factor * max(values))
    return low if low == high else f"{low} to {high}"


def table(results: list[tuple[str, str, Measured]]) -> str:
    """The summary as Markdown: least and largest figure of each group of designs."""
    lines = ["| interval | designs | coverage % | of these with a ceiling | false differences % | width over Clopper-Pearson's |",
             "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for name in dict.fromkeys(result[0] for result in results):
        figures = [result[2] for result in results if result[0] == name]
        coverage = [figure.coverage for figure in figures if figure.coverage is not None]
        middling = [figure.coverage for figure in figures if figure.coverage is not None and figure.middling]
        errors = [figure.error for figure in figures if figure.error is not None]
        widths = [figure.width for figure in figures if figure.width is not None and not figure.middling]
        cells = [name, str(len(coverage)), _range(coverage), _range(middling), _range(errors), _range(widths, "{:.2f}", 1)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=FAMILIES, action="append")
    parser.add_argument("--repetitions", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=26)
    options = parser.parse_args()
    results = []
    for family in options.only or FAMILIES:
        results += measured(FAMILIES[family](), options.repetitions, options.seed)
    print(table(results))
    slack = 2 * math.sqrt(0.05 * 0.95 / options.repetitions)
    misses = [(name, words, figure.missed()) for name, words, figure in results if figure.missed()]
    print(f"\nDesigns that miss a bar: {len(misses)} of {len(results)} (a figure's own noise is {100 * slack:.1f} points)\n")
    for name, words, missed in misses:
        print(f"- {name}: {words}: {missed}")


if __name__ == "__main__":
    main()
