"""The designs that every interval is measured in, by what they are of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

from tests.simulation import measures
from tests.simulation.draws import Design, Draws, Pair
from tests.simulation.measures import Measured

QUESTIONS, SAMPLES = (30, 100, 203, 250), (1, 3, 10)
BINARY, PARTIAL = (0.0, 0.01, 0.05, 0.5, 0.95, 1.0), (0.01, 0.03, 0.1)
UNLIKE = ("none", "moderate", "strong", "all")

Measure = Callable[[Draws, int], Measured]
Row = tuple[str, str, Measure]
"""What is measured (a row of the summary), the design in words, and the measurement from draws and repetitions."""


def _exact(questions: int, rate: float, draws: Draws, repetitions: int) -> Measured:
    return measures.exact(questions, rate)


def _exact_difference(one: int, other: int, rate: float, second: float, draws: Draws, repetitions: int) -> Measured:
    return measures.exact_difference(one, other, rate, second)


def _words(design: Design) -> str:
    return f"n {design.questions}, {design.samples} samples, {design.kind} {100 * design.rate:g} %, unlike: {design.unlike}"


def scores(questions: tuple[int, ...] = QUESTIONS) -> Iterator[Design]:
    """Designs of one benchmark; one yes-or-no sample a question is not among them (see `single`)."""
    for n, samples in product(questions, SAMPLES):
        for kind in ("binary", "fractions", "uniform"):
            for rate, unlike in product(BINARY if kind == "binary" else PARTIAL, UNLIKE):
                # With one sample a question's rate and its outcome cannot be told apart; at 0 and 100 % nor can any design.
                if (samples == 1 and (unlike != "none" or kind == "binary")) or (rate in (0, 1) and unlike != "none"):
                    continue
                yield Design(n, samples, kind, rate, unlike)


def mean_rows() -> Iterator[Row]:
    """One benchmark's mean score."""
    for n, rate in product(QUESTIONS, BINARY):
        yield "score, binary, 1 sample (exact)", f"n {n}, {100 * rate:g} %", partial(_exact, n, rate)
    for design in scores():
        kind = "binary" if design.kind == "binary" else "F1"
        name = f"score, {kind}, " + ("1 sample" if design.samples == 1 else f"unlike: {design.unlike}")
        yield name, _words(design), partial(_score, design)


def _score(design: Design, draws: Draws, repetitions: int) -> Measured:
    return measures.mean(draws, design, repetitions)


def average_rows() -> Iterator[Row]:
    """The average of three benchmarks of 30, 203 and 250 questions."""
    equal = [(rate, rate, rate) for rate in BINARY]
    mixed = [(0.05, 0.5, 0.95), (0.01, 0.5, 0.99), (0.0, 0.5, 1.0), (0.3, 0.6, 0.8), (0.0, 0.01, 0.05)]
    cases = [("binary", rates) for rates in equal + mixed] + [("fractions", (rate,) * 3) for rate in PARTIAL]
    for (kind, rates), samples, unlike in product(cases, SAMPLES, UNLIKE):
        if samples == 1 and unlike != "none":
            continue
        designs = [Design(n, samples, kind, rate, unlike) for n, rate in zip((30, 203, 250), rates, strict=True)]
        words = f"{samples} samples, {kind} {', '.join(f'{100 * rate:g}' for rate in rates)} %, unlike: {unlike}"
        yield f"average, {'binary' if kind == 'binary' else 'F1'}", words, partial(_average, designs)


def _average(designs: list[Design], draws: Draws, repetitions: int) -> Measured:
    return measures.average(draws, designs, repetitions)


def corrected_rows() -> Iterator[Row]:
    """A score corrected by an audit."""
    shares = (0.0, 0.1, 0.5, 0.9)
    for n, collapse, audit, outside, inside in product((100, 250), (0.02, 0.1, 0.4, 0.8), (0.1, 0.3, 1.0), shares, shares):
        words = (
            f"n {n}, {100 * collapse:g} % collapse, {100 * audit:g} % audited, {100 * outside:g} and {100 * inside:g} % right"
        )
        yield f"corrected, {100 * audit:g} % audited", words, partial(_corrected, n, collapse, audit, outside, inside)


def _corrected(
    n: int, collapse: float, audit: float, outside: float, inside: float, draws: Draws, repetitions: int
) -> Measured:
    return measures.corrected(draws, n, collapse, audit, outside, inside, repetitions)


def pairs(kept: tuple[float, ...], rates: tuple[float, ...], questions: tuple[int, ...]) -> Iterator[Pair]:
    """Pairs of variants asked the same questions."""
    for n, samples, kind, rate, unlike, share in product(
        questions, SAMPLES, ("binary", "fractions"), rates, ("none", "strong", "all"), kept
    ):
        for change in ("thin", "redrawn") if share == 1 else ("thin", "lost"):
            if unlike == "none" and change == "redrawn":
                continue
            yield Pair(Design(n, samples, kind, rate, unlike), share, change)


def difference_rows() -> Iterator[Row]:
    """The difference of two variants, of the same questions and of different ones."""
    for pair in pairs((1.0, 0.9, 0.5, 0.0), (0.01, 0.05, 0.5, 0.9, 0.99), (10, 30, 100, 250)):
        yield (f"paired difference, {'none' if pair.kept == 1 else 'some'}",
               f"{_words(pair.dense)}, {100 * pair.kept:g} % kept, {pair.change}", partial(_paired, pair))  # fmt: skip
    for (one, other), samples, unlike in product(((30, 30), (30, 250), (100, 203), (250, 250)), SAMPLES, ("none", "strong")):
        for rate, second in ((0.01, 0.01), (0.05, 0.05), (0.5, 0.5), (0.95, 0.95), (0.5, 0.45), (0.05, 0.01), (0.9, 0.3)):
            if samples == 1:  # a question's rate and its outcome cannot be told apart, so that all are alike
                if unlike == "none":
                    words = f"n {one}, 1 sample, {100 * rate:g} %, against n {other}, {100 * second:g} %"
                    name = f"unpaired difference, {'none' if rate == second else 'some'}, 1 sample (exact)"
                    yield name, words, partial(_exact_difference, one, other, rate, second)
                continue
            first = Design(one, samples, "binary", rate, unlike)
            words = f"{_words(first)}, against n {other}, {100 * second:g} %"
            name = f"unpaired difference, {'none' if rate == second else 'some'}"
            yield name, words, partial(_unpaired, first, Design(other, samples, "binary", second, unlike))


def _paired(pair: Pair, draws: Draws, repetitions: int) -> Measured:
    return measures.paired(draws, pair, repetitions)


def _unpaired(one: Design, other: Design, draws: Draws, repetitions: int) -> Measured:
    return measures.unpaired(draws, one, other, repetitions)


def recovery_rows() -> Iterator[Row]:
    """The ratio of two variants' scores, and its noise floor."""
    for pair in pairs((1.0, 0.9, 0.5, 0.1), (0.1, 0.5, 0.9), (30, 100, 250)):
        yield "recovery", f"{_words(pair.dense)}, {100 * pair.kept:g} % kept, {pair.change}", partial(_recovery, pair)
    for n, samples, kind, rate, unlike in product((30, 100, 250), SAMPLES, ("binary", "fractions"), (0.1, 0.5, 0.9), UNLIKE):
        design = Design(n, samples, kind, rate, unlike)
        yield "noise floor of recovery", _words(design), partial(_floor, design)


def _recovery(pair: Pair, draws: Draws, repetitions: int) -> Measured:
    return measures.recovery(draws, pair, repetitions)


def _floor(design: Design, draws: Draws, repetitions: int) -> Measured:
    return measures.floor(draws, design, repetitions)


FAMILIES = {
    "mean": mean_rows, "average": average_rows, "corrected": corrected_rows, "difference": difference_rows, "recovery": recovery_rows,
}  # fmt: skip
