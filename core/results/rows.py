"""The rows of every table, key by key in the order in which JSON and CSV print them.

Scores, shares and intervals are percent from 0 to 100; an interval is [low, high]. What each key means is told where the row is
made, in `core.results.tables`.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from core.compress.methods import Kind

ScoreName = Literal["accuracy", "em", "f1"]
SCORE_NAMES: tuple[ScoreName, ...] = ("accuracy", "em", "f1")
INTERVALS: dict[ScoreName, Literal["accuracy_ci", "em_ci", "f1_ci"]] = {"accuracy": "accuracy_ci", "em": "em_ci", "f1": "f1_ci"}
End = Literal["short", "long"]
ENDS: tuple[End, ...] = ("short", "long")
Unit = Literal["tokens", "words"]
State = Literal["collapsed", "intact", "already collapsed", "not enough data"]
Verdict = Literal["supported", "contradicted", "inconclusive", "not enough data"]


class Difference(TypedDict):
    """One's own score less a printed one, in percentage points."""

    printed: float
    difference: float
    difference_ci: list[float] | None
    within_noise: bool | None


class Differences(TypedDict, total=False):
    """The differences by score."""

    accuracy: Difference
    em: Difference
    f1: Difference


class PublishedCell(Differences):
    """How far a cell of the scores is from what was printed, and where that stands."""

    origin: str
    table: int
    edition: str


class PublishedEnds(TypedDict):
    """How far both ends of a row of lengths are from what was printed, and where that stands."""

    origin: str
    table: int
    edition: str
    short: Differences
    long: Differences


class RecoveryCell(TypedDict, total=False):
    """A compressed variant beside its dense model on a benchmark; recovery in percent, inflation in times."""

    dense: str
    dense_run: int
    paired: int
    recovery: float | None
    recovery_ci: list[float] | None
    recovery_floor: list[float] | None
    inflation: float | None
    inflation_ci: list[float] | None
    inflation_right: float | None
    inflation_right_ci: list[float] | None
    inflation_right_n: int
    inflation_wrong: float | None
    inflation_wrong_ci: list[float] | None
    inflation_wrong_n: int
    inflation_unit: Unit
    inflation_cut: int


class ScoreCell(RecoveryCell):
    """A row on a benchmark; n and finished count questions; what was printed has scores and n alone."""

    n: int
    finished: int | None
    responses: NotRequired[int]
    planned: NotRequired[int]
    samples: NotRequired[int]
    unparsed: int | None
    failed: int | None
    run: int | None
    runs: NotRequired[list[int]]
    limit: NotRequired[int | None]
    prompt: NotRequired[str | None]
    questions: NotRequired[str | None]
    error: NotRequired[float | None]
    accuracy: NotRequired[float | None]
    accuracy_ci: NotRequired[list[float] | None]
    em: NotRequired[float | None]
    em_ci: NotRequired[list[float] | None]
    f1: NotRequired[float | None]
    f1_ci: NotRequired[list[float] | None]
    strict_em: NotRequired[float | None]
    strict_f1: NotRequired[float | None]
    by_hand: NotRequired[int]
    pass_at_k: NotRequired[float]
    majority: NotRequired[float]
    doubt: NotRequired[str]
    stopped: NotRequired[int]
    corrected: NotRequired[float | None]
    corrected_ci: NotRequired[list[float] | None]
    endings: NotRequired[dict[str, int]]
    share_cut: NotRequired[float | None]
    ended_score: NotRequired[float | None]
    ended_ci: NotRequired[list[float] | None]
    bound: NotRequired[float | None]
    lenient: NotRequired[float | None]
    effective_limit: NotRequired[int | None]
    published: NotRequired[PublishedCell]


class ScoreRow(TypedDict):
    """A variant (and engine) on every benchmark; only a printed row has the last five keys."""

    variant: str
    label: str
    model: str
    family: str
    parameters: int | None
    compression: str
    bits_per_weight: float | None
    sparsity: float | None
    origin: str
    engine: str | None
    sampling: dict[str, object] | None
    main: bool
    benchmarks: dict[str, ScoreCell]
    average: float | None
    average_ci: list[float] | None
    average_of: list[str] | None
    table: NotRequired[int]
    edition: NotRequired[str]
    source: NotRequired[str]
    passes: NotRequired[int]
    note: NotRequired[str | None]


class LengthEnd(TypedDict):
    """The shortest or the longest responses."""

    words: float | None
    accuracy: NotRequired[float | None]
    em: NotRequired[float | None]
    f1: NotRequired[float | None]


class LengthRow(TypedDict):
    """A variant (and engine) on a benchmark; the counts of a printed row are unknown, and it alone says where it stands."""

    variant: str
    label: str
    model: str
    compression: str
    engine: str | None
    benchmark: str
    q: float
    k: int
    short: LengthEnd
    long: LengthEnd
    ratio: float | None
    censored: int | None
    n: int
    questions: int
    thinking_words: float | None
    answer_words: float | None
    run: int | None
    published: NotRequired[PublishedEnds]
    origin: NotRequired[str]
    table: NotRequired[int]
    edition: NotRequired[str]
    source: NotRequired[str]
    passes: NotRequired[int]
    note: NotRequired[str | None]


class Tenth(TypedDict):
    """A tenth of the responses by length."""

    words: float
    score: float


class DecileRow(TypedDict):
    """A variant (and engine) on a benchmark, the shortest tenth first."""

    variant: str
    label: str
    engine: str
    benchmark: str
    run: int
    n: int
    deciles: list[Tenth]


class CollapseCell(TypedDict):
    """How often a variant's outputs on a benchmark ended in a loop, and what stopping them cost."""

    variant: str
    label: str
    engine: str
    benchmark: str
    run: int
    n: int
    collapsed: int
    share: float
    share_low: float | None
    share_high: float | None
    onset_words: float | None
    period_words: float | None
    words_saved: float
    tokens_saved: int
    stopped: int
    audited: int
    lost: int
    lost_share: float | None
    lost_share_low: float | None
    lost_share_high: float | None
    corrected: float | None
    corrected_low: float | None
    corrected_high: float | None


class CurveStep(TypedDict):
    """A point of a pruned family's curve; `run` is None where it was only printed."""

    sparsity: float
    score: float
    score_ci: list[float]
    n: int
    run: int | None


class CollapsePoint(TypedDict):
    """Between which sparsities a curve collapses, and how sure that is."""

    low: float | None
    high: float | None
    state: State
    low_ci: list[float | None] | None
    high_ci: list[float | None] | None
    agreeing: float | None


class PointRow(TypedDict):
    """The collapse point of a pruned family on a benchmark."""

    family: str
    benchmark: str
    low: float | None
    high: float | None
    state: State
    origin: str
    low_ci: list[float | None] | None
    high_ci: list[float | None] | None
    agreeing: float | None
    curve: list[CurveStep]


class CompareRow(TypedDict):
    """Two variants on the same questions of a benchmark."""

    a: str
    b: str
    benchmark: str
    n: int
    metric: Literal["accuracy", "f1"]
    a_score: float | None
    b_score: float | None
    difference: float | None
    difference_ci: list[float] | None
    p: float | None
    same_protocol: bool
    gained: list[str]
    lost: list[str]
    both: int
    neither: int
    unpaired: int
    runs: list[int]


class Finding(TypedDict):
    """A claim of an effect above 0."""

    claim: str
    verdict: Verdict
    effect: float | None
    effect_ci: list[float] | None
    p: float | None
    unit: str
    runs: int
    basis: str


class RankingRow(TypedDict):
    """What a method costs."""

    method: str
    kind: Kind
    variants: int
    runs: int
    reasoning: float | None
    reasoning_ci: list[float] | None
    reasoning_p: float | None
    knowledge: float | None
    knowledge_ci: list[float] | None
    knowledge_p: float | None


class Findings(TypedDict):
    """The claims, and the ranking of methods."""

    claims: list[Finding]
    ranking: list[RankingRow]


class FlipSide(TypedDict):
    """One response of a flip; `left_out` characters stand before its `text`."""

    label: str
    response: int
    parsed: str | None
    ending: str | None
    words: int
    left_out: int
    text: str


class Flip(TypedDict):
    """A question that only the dense model or (`gained`) only the compressed variant got right."""

    benchmark: str
    key: str
    gained: bool
    question: str
    gold: str
    dense: FlipSide
    compressed: FlipSide


class BudgetPoint(TypedDict):
    """The score in percent if outputs had been cut at `limit`."""

    limit: float
    score: float


class BudgetRow(TypedDict):
    """A variant (and engine) on a benchmark under ever larger limits, counted in `unit`."""

    label: str
    benchmark: str
    run: int
    unit: Unit
    points: list[BudgetPoint]


class Candidate(TypedDict):
    """A variant that could be recommended; `bytes` and `needs` are bytes."""

    variant: str
    label: str
    origin: str
    bytes: float
    estimated: bool
    needs: float
    fits: bool
    enough: bool
    score: float
    score_ci: list[float]
    knowledge: float | None
    knowledge_ci: list[float] | None
    on_front: bool


class Recommendation(TypedDict):
    """The variant for a memory budget in bytes, the reasons, and every candidate from small to large."""

    memory: float
    knowledge: bool
    choice: str | None
    ties: list[str]
    smallest: str | None
    reasons: list[str]
    front: list[Candidate]


class ProvenanceRun(TypedDict):
    """Where the numbers of a run come from; `created` and `finished` are seconds since 1970."""

    run: int
    model: str
    compression: str
    benchmark: str
    engine: str
    engine_version: str | None
    weights_sha256: str | None
    bytes: int | None
    prompt_version: str | None
    benchmark_version: str | None
    sampling: dict[str, object]
    seed: int | None
    item_limit: int | None
    policy: str | None
    created: float
    finished: float | None
    doubt: str | None
    responses: int


class Provenance(TypedDict):
    """The versions of what computed the numbers, and their runs."""

    versions: dict[str, str | int]
    runs: list[ProvenanceRun]
