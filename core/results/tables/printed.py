"""The rows of benchmarks/published.toml and benchmarks/pocket/study.json; a field that is left out is not known."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict, get_args

Edition = Literal["v1", "v3", "ICLR"]
"""A version of the paper whose numbers can stand beside one's own; benchmarks/published.toml says what each holds."""
EDITIONS: tuple[Edition, ...] = get_args(Edition)
RECORDED_EDITION = "study"
"""The edition of the embedded family's recorded rows, which stand beside those of every edition of the paper."""


class Printed(TypedDict):
    """Where a row stands: the number of its table, whose edition, the key of its source; and the model that it is of."""

    table: int
    edition: str
    source: str
    model: str


class PrintedVariant(Printed):
    """A row of one variant; `passes` is how often each question was asked, once where nothing is said."""

    compression: str
    passes: NotRequired[int]
    note: NotRequired[str]


class PrintedScores(PrintedVariant):
    """Scores of a variant in percent; each benchmark's name is a field too, a percentage or a PrintedCell."""

    family: str
    parameters: float
    bits_per_weight: NotRequired[float]
    sparsity: NotRequired[float]
    average: NotRequired[float]
    average_of: NotRequired[list[str]]
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
