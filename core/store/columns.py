"""Columns of a response's row that are written or read together, as types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypedDict

Columns = Mapping[str, object]
"""Names of columns and their values."""


class ArtifactFacts(TypedDict):
    """What a preparation has measured of an artifact and its model's files (`files.content`); sparsity from 0 to 1."""

    path: str
    stamp: str
    sha256: str
    model_stamp: str
    model_sha256: str
    bytes: int
    parameters: int
    bits_per_weight: float
    sparsity: float | None


class GradeColumns(TypedDict):
    """The answer that was extracted, by which rule from which characters, and what it is worth (0 to 1)."""

    parsed: str | None
    rule: str | None
    span_start: int | None
    span_end: int | None
    correct: int | None
    em: float | None
    f1: float | None
    strict_em: float | None
    strict_f1: float | None


class LoopColumns(TypedDict):
    """The detector's verdict. Positions, onset and period count characters; `audited` is None where nothing collapsed."""

    suspicious: int
    collapsed: int
    loop_position: int | None
    loop_onset: int | None
    loop_period: int | None
    loop_unit: str | None
    loop_count: int | None
    loop_rule: str | None
    audited: int | None


class PartColumns(TypedDict):
    """How an output ended, where its answer part starts, and how long its parts are in words."""

    finish_reason: str | None
    ending: str | None
    prompt_thinking: str | None
    answer_start: int | None
    thinking_words: int
    answer_words: int


class LenientColumns(TypedDict):
    """What an output that ended within its thinking is worth (0 to 1) if all of it is read as the answer, else None."""

    lenient_credit: float | None
    lenient_score: float | None


class JudgedColumns(PartColumns, LenientColumns, GradeColumns):
    """All that is read off the text of a finished output alone."""


class OutputColumns(JudgedColumns):
    """The same with the lengths in engine tokens."""

    thinking_tokens: int
    answer_tokens: int


class ServerColumns(TypedDict, total=False):
    """What a server counted; `usage` is JSON."""

    empty_replies: int
    usage: str
    prompt_tokens: int
    thinking_tokens: int
    answer_tokens: int


class FormerGrade(GradeColumns):
    """A grade that was replaced: at which time, in seconds since 1970, and by which version."""

    until: float
    replaced_by: str


class ResponseRow(GradeColumns):
    """One whole response as `core.store.snapshot.response` reads it; what is not known before it has finished is None.

    Times are seconds since 1970, `seconds` how long it took; `fields` and `gold` are JSON; `text` and `prompt` are None where
    nothing was sent yet.
    """

    id: int
    job_id: int
    item_id: int
    position: int
    sample: int
    seed: int
    state: Literal["pending", "active", "done"]
    attempt: int
    resumed_at: int | None
    prompt_tokens: int | None
    token_limit: int | None
    finish_reason: str | None
    ending: str | None
    prompt_thinking: str | None
    lenient_credit: float | None
    lenient_score: float | None
    inferred: int | None
    error: str | None
    answer_start: int | None
    thinking_words: int | None
    answer_words: int | None
    thinking_tokens: int | None
    answer_tokens: int | None
    collapsed: int | None
    loop_onset: int | None
    loop_period: int | None
    loop_unit: str | None
    loop_count: int | None
    started: float | None
    finished: float | None
    seconds: float | None
    audited: int | None
    suspicious: int | None
    loop_position: int | None
    loop_rule: str | None
    usage: str | None
    empty_replies: int
    hand: int | None
    flagged: int
    prompt: str | None
    text: str | None
    key: str
    fields: str
    gold: str
    benchmark: str
    engine: str
    engine_version: str | None
    sampling: str
    prompt_version: str | None
    model: str
    compression: str
    sha256: str | None
