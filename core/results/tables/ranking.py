"""Methods by what they cost: the change of scores against the dense model, question by question."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.compress.methods import Kind
from core.results.stats import Z
from core.results.tables.measured import Measured, grouped


@dataclass(frozen=True, slots=True)
class Change:
    """A mean change of the score against the dense model, -1 to 1, its standard error, and the two-sided p of none."""

    value: float
    error: float

    @property
    def p(self) -> float:
        """Two-sided, by the normal distribution."""
        return math.erfc(abs(self.value) / self.error / math.sqrt(2))

    @property
    def ends(self) -> list[float]:
        """The 95 % interval in percentage points."""
        return [100 * (self.value - Z * self.error), 100 * (self.value + Z * self.error)]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a method costs; None where nothing can be compared."""

    method: str
    kind: Kind
    variants: int
    runs: int
    reasoning: Change | None
    knowledge: Change | None


def costs(cells: Sequence[Measured]) -> list[Cost]:
    """Each method's change against the dense model of the same name, protocol and benchmark. The least loss comes first."""
    dense = {cell.same: cell for cell in cells if cell.kind == "dense"}
    pairs = [(cell, dense[cell.same]) for cell in cells if cell.kind != "dense" and cell.same in dense]
    rows = []
    for (name, kind), group in sorted(grouped(pairs, lambda pair: (pair[0].method.name, pair[0].kind)).items()):
        changes = [_change([pair for pair in group if pair[0].asks == asks]) for asks in ("reasoning", "knowledge")]
        rows.append(Cost(name, kind, len({one.run.variant for one, _ in group}), len(group), *changes))
    return sorted(rows, key=lambda row: -math.inf if row.reasoning is None else row.reasoning.value, reverse=True)


def _change(pairs: Sequence[tuple[Measured, Measured]]) -> Change | None:
    """The mean over benchmarks of the mean change of their variants.

    Its error has two parts: which questions were asked (each counts once, with the mean change of all variants that were asked
    it), and, of several variants, how much they differ among themselves.
    """
    by_benchmark = grouped(pairs, lambda pair: pair[0].run.benchmark)
    parts = [_on_benchmark(group) for group in by_benchmark.values()]
    known = [part for part in parts if part is not None]
    if not known:
        return None
    value = float(np.mean([part[0] for part in known]))
    error = math.sqrt(sum(part[1] for part in known)) / len(known)
    return Change(value, error)


def _on_benchmark(pairs: Sequence[tuple[Measured, Measured]]) -> tuple[float, float] | None:
    """Mean change of the variants on one benchmark, and its variance."""
    sums: dict[int, list[float]] = {}
    of_variants = []
    for one, start in pairs:
        items, at_one, at_start = np.intersect1d(one.questions.items, start.questions.items, return_indices=True)
        if len(items):
            differences = one.scores[at_one] - start.scores[at_start]
            of_variants.append(float(differences.mean()))
            for item, difference in zip(items.tolist(), differences.tolist(), strict=True):
                sums.setdefault(item, []).append(difference)
    if not of_variants:
        return None
    means = np.array([float(np.mean(values)) for values in sums.values()])
    n = len(means) + 2  # two questions more that differ by half, so that no few questions are without doubt (`stats.paired`)
    asked = (float((means**2).sum()) + 1) / n**2
    chosen = float(np.var(of_variants, ddof=1)) / len(of_variants) if len(of_variants) > 1 else 0.0
    return float(np.mean(of_variants)), asked + chosen
