"""The paper's claims as tests whose errors were simulated (`docs/statistics.md`).

Variants of a model share their questions, and models share them too: what makes one variant fail on a question makes the
others fail. So no test takes responses, variants or pairs for independent trials. Each permutes, or draws, what is exchangeable
if there is nothing: questions, kinds of compression, benchmarks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np

from benchmarks.registry import get, of
from core.results.stats import SEED, Z, paired
from core.results.tables.collapse_points import Family, resampled_heights
from core.results.tables.lengths import ends, words_of
from core.results.tables.measured import Measured, grouped, on_questions

DRAWS = 1_000
"""Resamples of questions, and random permutations where there are too many to try all."""
Q = 30.0
FEWEST_QUESTIONS = 10


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of an effect above 0. `effect` and `ends` in `unit`; `p` two-sided, None where data cannot decide."""

    claim: str
    unit: str
    effect: float | None
    ends: tuple[float, float] | None
    p: float | None
    runs: int
    basis: str


def shorter(cells: Sequence[Measured]) -> Claim:
    """The paper's plain comparison: score of the shortest 30 % minus that of the longest, mean over rows.

    Tested by permuting questions: each keeps the lengths that all variants gave it, and gets the scores of another one.
    """
    effects, contrasts = [], []
    for cell in cells:
        cut = ends(words_of(cell.responses), cell.responses["censored"], Q)
        if cut.k:
            weights = (cut.shortest - cut.longest) / cut.k
            effects.append(float(weights @ cell.responses["score"]))
            contrasts.append((cell, _by_question(cell, weights)))
    name = "Shorter outputs are more accurate"
    basis = "score of the shortest 30 % of outputs minus that of the longest 30 %, mean over rows; difficulty is not held fixed"
    if not effects:
        return Claim(name, "points", None, None, None, 0, basis)
    rng = np.random.default_rng(SEED)
    observed, permuted = 0.0, np.zeros(DRAWS)
    for group in grouped(contrasts, lambda one: one[0].run.benchmark).values():
        seen, shuffled = _permuted(group, rng)
        observed, permuted = observed + seen, permuted + shuffled
    p = (1 + int((np.abs(permuted) >= abs(observed) - 1e-12).sum())) / (DRAWS + 1)
    spread = float(permuted.std()) / len(effects)
    effect = float(np.mean(effects))
    interval = (100 * (effect - Z * spread), 100 * (effect + Z * spread))
    return Claim(name, "points", 100 * effect, interval, p, len(effects), basis)


def _by_question(cell: Measured, weights: np.ndarray) -> np.ndarray:
    """Sums of weights, [responses], over the samples of each question, [questions]."""
    place = np.searchsorted(cell.questions.items, cell.responses["item"])
    sums: np.ndarray = np.bincount(place, weights, minlength=len(cell.questions.items))
    return sums


def _permuted(group: Sequence[tuple[Measured, np.ndarray]], rng: np.random.Generator) -> tuple[float, np.ndarray]:
    """The sum over rows of contrast x score, and under permuted questions, [DRAWS].

    Questions change places only with those that the same rows were asked.
    """
    cells = [cell for cell, _ in group]
    scores, asked = on_questions(cells)
    weights = np.zeros_like(scores)
    for row, (_, contrast) in enumerate(group):
        weights[row, asked[row]] = contrast
    products = weights.T @ scores  # [questions with these lengths, questions with these scores]
    _, stratum = np.unique(asked, axis=1, return_inverse=True)
    total = np.zeros(DRAWS)
    for number in range(stratum.max() + 1):
        places = np.flatnonzero(stratum == number)
        orders = rng.permuted(np.tile(places, (DRAWS, 1)), axis=1)
        total += products[places[None, :], orders].sum(axis=1)
    return float(np.trace(products)), total


def within_questions(cells: Sequence[Measured]) -> Claim:
    """Pairs of a right and a wrong sample of one question: how often the right one is the shorter, question by question."""
    shares: dict[tuple[str, int], list[float]] = {}
    rows = set()
    for cell in cells:
        place = np.searchsorted(cell.questions.items, cell.responses["item"])
        words, right = words_of(cell.responses), cell.responses["credit"] == 1
        mixed = np.flatnonzero((cell.questions.credit > 0) & (cell.questions.credit < 1) & (cell.questions.samples > 1))
        for question in mixed:
            mine = place == question
            good, bad = words[mine & right], words[mine & ~right]
            if len(good) and len(bad):
                gaps = np.sign(bad[None, :].astype(float) - good[:, None])
                shares.setdefault((cell.run.benchmark, int(cell.questions.items[question])), []).append(float(gaps.mean()))
                rows.add(cell.run.run)
    name, unit = "Shorter outputs are more accurate within a question", "points above half of the pairs"
    basis = f"pairs of a right and a wrong sample of the same question, {len(shares)} questions; difficulty is held fixed"
    means = np.array([float(np.mean(values)) for values in shares.values()])
    if len(means) < FEWEST_QUESTIONS:
        effect = 50 * float(means.mean()) if len(means) else None
        return Claim(name, unit, effect, None, None, len(rows), basis)
    test = paired(means)
    return Claim(name, unit, 50 * test.difference, (50 * test.low, 50 * test.high), test.p, len(rows), basis)


Heights = dict[tuple[str, str, str], np.ndarray]
"""By family, origin and benchmark the sparsities at which resampled curves have collapsed, [RESAMPLES]."""


def heights_of(families: Sequence[Family]) -> Heights:
    """The heights of every family that has a collapse point."""
    return {(f.name, f.origin, f.benchmark): drawn for f in families if (drawn := resampled_heights(f)) is not None}


def harder(families: Sequence[Family], heights: Heights) -> Claim:
    """Of two reasoning benchmarks the one with the lower dense accuracy should collapse first."""

    def sign(one: Family, other: Family) -> int:
        if "knowledge" in (get(one.benchmark).kind, get(other.benchmark).kind):
            return 0
        first, second = (family.curve[0].mean.interval() for family in (one, other))
        return 1 if first[1] < second[0] else -1 if second[1] < first[0] else 0

    return _order(families, "Harder tasks collapse at lower sparsity", sign, heights)


def knowledge_first(families: Sequence[Family], heights: Heights) -> Claim:
    """Of a benchmark of knowledge and one of reasoning, that of knowledge should collapse first."""

    def sign(one: Family, other: Family) -> int:
        kinds = get(one.benchmark).kind, get(other.benchmark).kind
        return 0 if kinds[0] == kinds[1] else 1 if kinds[0] == "knowledge" else -1

    return _order(families, "Pruning loses knowledge before reasoning", sign, heights)


def _order(families: Sequence[Family], claim: str, sign: Callable[[Family, Family], int], heights: Heights) -> Claim:
    """How much more often the one of two benchmarks that should collapse first does so than the other, mean over pairs.

    `sign`: 1 where the first of a pair should, -1 where the second, 0 where the claim says nothing. Curves are resampled, so
    that a pair counts as surely as it is known. Families share what is particular to a benchmark, so that the benchmarks are
    what is exchangeable: the test permutes them, for all families together.
    """
    pairs = [
        (one, other, expected)
        for group in grouped([f for f in families if (f.name, f.origin, f.benchmark) in heights], _owner).values()
        for one, other in combinations(group, 2)
        if (expected := sign(one, other))
    ]
    unit, runs = "points above half of the pairs", {s.run for one, other, _ in pairs for s in (*one.curve, *other.curve)}
    if not pairs:
        return Claim(claim, unit, None, None, None, 0, "pairs of benchmarks within a pruned family: none")
    observed = _concordance(pairs, heights, {})
    relabelled = [_concordance(pairs, heights, labels) for labels in _relabellings(pairs)]
    p = float(np.mean(np.abs(relabelled) >= abs(observed) - 1e-12))
    least = float(np.mean(np.abs(relabelled) >= np.abs(relabelled).max() - 1e-12))
    names = len({family.benchmark for one, other, _ in pairs for family in (one, other)})
    basis = f"{len(pairs)} pairs of {names} benchmarks within a pruned family"
    if least > 0.05:
        basis += f"; so few benchmarks come in any order by chance {least:.0%} of the time"
    return Claim(claim, unit, 50 * observed, None, p if least <= 0.05 else None, len(runs), basis)


def _owner(family: Family) -> tuple[str, str]:
    return family.name, family.origin


def _concordance(pairs: Sequence[tuple[Family, Family, int]], heights: Heights, labels: dict[str, str]) -> float:
    """Mean over pairs, -1 to 1, with the heights of the benchmarks that `labels` gives in place of a pair's own."""
    values = []
    for one, other, expected in pairs:
        first, second = (heights.get((*_owner(f), labels.get(f.benchmark, f.benchmark))) for f in (one, other))
        values.append(
            0.0 if first is None or second is None else expected * float(np.mean(second > first) - np.mean(second < first))
        )
    return float(np.mean(values))


def _relabellings(pairs: Sequence[tuple[Family, Family, int]]) -> list[dict[str, str]]:
    """Every way to permute the benchmarks within their suites."""
    names = dict.fromkeys(family.benchmark for one, other, _ in pairs for family in (one, other))
    suites = grouped(names, lambda name: get(name).suite)
    ways: list[dict[str, str]] = [{}]
    for members in suites.values():
        ways = [way | dict(zip(members, order, strict=True)) for way in ways for order in permutations(members)]
    return ways


def knowledge(cells: Sequence[Measured]) -> Claim:
    """Knowledge of quantized variants less that of pruned ones of the same model with the same reasoning score.

    It speaks of the benchmarks of knowledge that were asked, and names them: one may end earlier under pruning than others do.
    The pruned variants' knowledge is interpolated between their reasoning scores. The interval draws questions, for all
    variants together, and takes in how much quantized variants differ. The p is the larger of its own and that of permuting
    which variants are called quantized, against one curve of knowledge over reasoning through all of a model's variants.
    """
    fields = [field for group in grouped(cells, lambda cell: cell.about).values() for field in _fields(group)]
    usable = [field for field in fields if field.comparable]
    asked = ", ".join(dict.fromkeys(field.knowledge_name for field in usable))
    name, unit = f"Quantization keeps knowledge{f' ({asked})' if asked else ''} better than pruning", "points of F1"
    runs = sum(len(field.names) * (1 + len(field.reasoning_names)) for field in usable)
    basis = (
        f"F1 of quantized variants less that of pruned ones at the same reasoning score, {len(usable)} models and benchmarks"
    )
    if not usable:
        return Claim(name, unit, None, None, None, 0, basis)
    effect = float(np.mean([field.difference(None) for field in usable]))
    rng = np.random.default_rng(SEED)
    drawn = np.zeros(DRAWS // 2)
    draws = _Draws(rng, len(drawn))
    for field in usable:
        weights = {benchmark: draws.of(benchmark, union) for benchmark, union in field.unions.items()}
        drawn += [field.difference({b: w[at] for b, w in weights.items()}) for at in range(len(drawn))]
    drawing = float(drawn.std() / len(usable))
    units = grouped([(n, v) for field in usable for n, v in field.differences(None).items()], lambda one: one[0])
    per_unit = [float(np.mean([value for _, value in values])) for values in units.values()]
    if len(per_unit) < 2:
        return Claim(name, unit, 100 * effect, None, None, runs, f"{basis}; one quantized variant is too few")
    error = math.sqrt(drawing**2 + float(np.var(per_unit, ddof=1)) / len(per_unit))
    p = max(math.erfc(abs(effect) / error / math.sqrt(2)), _permuted_kinds(usable, rng))
    return Claim(name, unit, 100 * effect, (100 * (effect - Z * error), 100 * (effect + Z * error)), p, runs, basis)


class _Draws:
    """How often each question of a benchmark is drawn, the same for all models."""

    def __init__(self, rng: np.random.Generator, count: int) -> None:
        self._rng, self._count = rng, count
        self._weights: dict[str, dict[int, np.ndarray]] = {}

    def of(self, benchmark: str, items: np.ndarray) -> np.ndarray:
        """Weights of questions, [draws, questions]; a Poisson number each, so that questions can be added one by one."""
        known = self._weights.setdefault(benchmark, {})
        for item in items.tolist():
            if item not in known:
                known[item] = self._rng.poisson(1.0, self._count)
        weights: np.ndarray = np.stack([known[item] for item in items.tolist()], axis=1)
        return weights


@dataclass(frozen=True, slots=True)
class _Field:
    """The variants of one model that have a benchmark of knowledge and the same ones of reasoning.

    `scores` and `asked` by benchmark: [variants, questions of its union].
    """

    names: list[str]
    kinds: list[str]
    knowledge_name: str
    reasoning_names: list[str]
    scores: dict[str, np.ndarray]
    asked: dict[str, np.ndarray]
    unions: dict[str, np.ndarray]

    @property
    def comparable(self) -> bool:
        """Whether a quantized variant lies between the reasoning scores of the pruned ones."""
        return "dense" in self.kinds and "pruning" in self.kinds and bool(self.differences(None))

    def means(self, benchmark: str, weights: np.ndarray | None) -> np.ndarray:
        """Scores of the variants, [variants], where each question counts as `weights`, [questions], says."""
        asked = self.asked[benchmark] if weights is None else self.asked[benchmark] * weights
        means: np.ndarray = (self.scores[benchmark] * asked).sum(axis=1) / np.maximum(1e-9, asked.sum(axis=1))
        return means

    def reasoning(self, weights: dict[str, np.ndarray] | None) -> np.ndarray:
        """The mean reasoning score of the variants, [variants]."""
        scores = [self.means(name, None if weights is None else weights[name]) for name in self.reasoning_names]
        mean: np.ndarray = np.mean(scores, axis=0)
        return mean

    def differences(self, weights: dict[str, np.ndarray] | None) -> dict[str, float]:
        """Of each quantized variant its knowledge less that interpolated between the pruned ones (and the dense one)."""
        reasoning = self.reasoning(weights)
        known = self.means(self.knowledge_name, None if weights is None else weights[self.knowledge_name])
        curve = [place for place, kind in enumerate(self.kinds) if kind in ("dense", "pruning")]
        curve.sort(key=lambda place: reasoning[place])
        low = self.reasoning(None)[curve].min() if weights is not None else reasoning[curve].min()
        base = self.reasoning(None)
        return {
            self.names[place]: float(known[place] - np.interp(reasoning[place], reasoning[curve], known[curve]))
            for place, kind in enumerate(self.kinds)
            if kind == "quantization" and base[place] >= low
        }

    def difference(self, weights: dict[str, np.ndarray] | None) -> float:
        """The mean of `differences`."""
        return float(np.mean(list(self.differences(weights).values())))

    def residuals(self) -> np.ndarray:
        """Knowledge of the variants less a parabola of it over reasoning through all of them, [variants]."""
        reasoning, known = self.reasoning(None), self.means(self.knowledge_name, None)
        degree = min(2, len(set(reasoning.round(6).tolist())) - 1)
        residuals: np.ndarray = known - np.polyval(np.polyfit(reasoning, known, degree), reasoning)
        return residuals


def _fields(cells: Sequence[Measured]) -> list[_Field]:
    """A field for each benchmark of knowledge of one model."""
    fields = []
    wanted = [cell for cell in cells if cell.kind in ("dense", "quantization", "pruning")]
    for name in dict.fromkeys(cell.run.benchmark for cell in wanted if cell.asks == "knowledge"):
        of_suite = of(get(name).suite, "reasoning")
        by_variant = grouped(
            [cell for cell in wanted if cell.run.benchmark in (name, *of_suite)], lambda cell: cell.run.compression
        )
        dense = next((group for group in by_variant.values() if group[0].kind == "dense"), [])
        needed = [b for b in of_suite if any(cell.run.benchmark == b for cell in dense)]
        whole = {
            compression: {cell.run.benchmark: cell for cell in group}
            for compression, group in by_variant.items()
            if needed and {name, *needed} <= {cell.run.benchmark for cell in group}
        }
        if not whole:
            continue
        scores, asked, unions = {}, {}, {}
        for benchmark in (name, *needed):
            rows = [variant[benchmark] for variant in whole.values()]
            scores[benchmark], asked[benchmark] = on_questions(rows)
            unions[benchmark] = np.unique(np.concatenate([row.questions.items for row in rows]))
        kinds = [variant[name].kind for variant in whole.values()]
        fields.append(_Field(list(whole), list(kinds), name, needed, scores, asked, unions))
    return fields


def _permuted_kinds(fields: Sequence[_Field], rng: np.random.Generator) -> float:
    """The two-sided p of the difference of residuals under permuted kinds; a compression has one kind in all models."""
    kinds = {name: kind for field in fields for name, kind in zip(field.names, field.kinds, strict=True) if kind != "dense"}
    names = list(kinds)
    residuals = np.full((len(fields), len(names)), np.nan)
    for row, field in enumerate(fields):
        for name, value in zip(field.names, field.residuals(), strict=True):
            if name in kinds:
                residuals[row, names.index(name)] = value
    unit = np.nanmean(residuals, axis=0)
    quantized = np.array([kinds[name] == "quantization" for name in names])
    chosen = np.stack([quantized, *(rng.permutation(quantized) for _ in range(DRAWS))])
    gaps = (chosen @ unit) / chosen.sum(axis=1) - (~chosen @ unit) / (~chosen).sum(axis=1)
    return float(np.mean(np.abs(gaps) >= abs(gaps[0]) - 1e-12))
