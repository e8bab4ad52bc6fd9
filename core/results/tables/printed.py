"""The rows of benchmarks/published.toml and benchmarks/pocket/study.json; a field that is left out is not known."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Printed(TypedDict):
    """Where a row stands: the number of its table, whose edition, the key of its source; and the model that it is of."""

    table: int
    edition: str
    source: str
    model: str


class PrintedVariant(Printed):
    """A row of one variant."""

    compression: str


class PrintedScores(PrintedVariant):
    """Scores of a variant in percent; each benchmark's name is a field too, a percentage or a PrintedCell."""

    family: str
    parameters: float
    bits_per_weight: NotRequired[float]
    sparsity: NotRequired[float]
    average: NotRequired[float]
    average_of: NotRequired[list[str]]
    note: NotRequired[str]
    passes: NotRequired[int]
    weights_sha256: NotRequired[str]


class PrintedCell(TypedDict, total=False):
    """The scores on a benchmark, where more than the accuracy is known; `collapsed` in percent too."""

    n: int
    accuracy: float
    accuracy_ci: list[float]
    em: float
    em_ci: list[float]
    f1: float
    f1_ci: list[float]
    collapsed: float


class PrintedEnd(TypedDict, total=False):
    """The shortest or the longest responses: mean words and scores in percent."""

    words: float
    accuracy: float
    em: float
    f1: float


class PrintedLengths(PrintedVariant):
    """Both ends of a variant on a benchmark."""

    benchmark: str
    n: NotRequired[int]
    short: NotRequired[PrintedEnd]
    long: NotRequired[PrintedEnd]
    ratio: NotRequired[float]


class PrintedPoint(Printed):
    """Between which sparsities, in percent, a model collapses on a benchmark."""

    benchmark: str
    low: float
    high: float


class Tables(TypedDict):
    """Both files as one; `sources` says in words what a row's `source` is."""

    sources: dict[str, str]
    scores: list[PrintedScores]
    lengths: list[PrintedLengths]
    collapse: list[PrintedPoint]
