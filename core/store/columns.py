"""Columns of a response's row that are written together, as types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

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


class LengthColumns(TypedDict):
    """How an output ended and how long its parts are, in words and in engine tokens."""

    finish_reason: str
    answer_start: int | None
    thinking_words: int
    answer_words: int
    thinking_tokens: int
    answer_tokens: int


class OutputColumns(LengthColumns, GradeColumns):
    """All that is read off the text of a finished output."""


class ServerColumns(TypedDict, total=False):
    """What a server counted; `usage` is JSON."""

    empty_replies: int
    usage: str
    prompt_tokens: int
    thinking_tokens: int
    answer_tokens: int
