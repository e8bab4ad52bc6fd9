"""One imported output, the common form of all formats, and the checks of its fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from benchmarks.registry import names
from core.engines.thinking import THINK_END
from core.errors import DataError
from core.importing.files import MEND, shown
from core.importing.sampling import Said, said

MOST_PARAMETERS = 1e15
_REASONS = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "repetition": "repetition",
    "unknown": None,
    "": None,
}
_SPELLINGS = {"aime": ("aime", "aime24", "aime2024"), "folio": (), "temporalsequences": (), "musique": ()}

Json = Mapping[str, object]
"""A JSON object whose fields nobody has checked."""


class Fields(TypedDict, total=False):
    """What may be said beside a file, for each field of a row that it leaves out."""

    model: str
    benchmark: str
    compression: str
    parameters: str
    finish_reason: str
    bits_per_weight: float


@dataclass(frozen=True, slots=True)
class Record:
    """An output and its origin; None where a value is unknown.

    `source_line` names file and line, for messages. The question is named by `item` (an integer is a row of the original file
    from 0, text an id) or recognised in `question`, the text that was asked.
    """

    source_line: str
    model: str
    benchmark: str
    output: str
    item: int | str | None = None
    question: str | None = None
    prompt: str = ""
    reason: str | None = None
    compression: str = "none"
    parameters: int | None = None
    bits_per_weight: float | None = None
    sparsity: float | None = None
    sampling: Said = field(default_factory=Said)


def from_mapping(row: Json, source_line: str) -> Record:
    """A record from JSON. Raises DataError naming the line and the field that is missing or of the wrong kind."""
    output = _text(row, "output", source_line)
    reasoning = row.get("reasoning")
    if isinstance(reasoning, str) and reasoning:
        output = f"{reasoning}{THINK_END}{output}"
    item, prompt = row.get("item"), row.get("prompt")
    if isinstance(item, bool) or not isinstance(item, int | str) or (isinstance(item, int) and abs(item) >= 2**63):
        raise DataError(f"{source_line}: `item` must be a row number or an id, not {shown(item)}.", MEND)
    return Record(
        source_line,
        _text(row, "model", source_line, filled=True),
        benchmark_of(_text(row, "benchmark", source_line), source_line),
        output,
        item,
        prompt=prompt if isinstance(prompt, str) else "",
        reason=reason_of(row.get("finish_reason"), source_line),
        compression=_compression(row.get("compression"), source_line),
        parameters=parameters_of(row.get("parameters"), source_line),
        bits_per_weight=number_of(row, "bits_per_weight", source_line),
        sparsity=number_of(row, "sparsity", source_line),
        sampling=said(row),
    )


def benchmark_of(name: str, source_line: str) -> str:
    """The benchmark that a name means, as this project, the paper's authors or lm-evaluation-harness write it."""
    if name in names(training=True):
        return name
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    for benchmark, whole in _SPELLINGS.items():
        if plain in whole or (not whole and benchmark in plain):
            return benchmark.removesuffix("sequences")
    raise DataError(
        f"{source_line}: there is no benchmark {shown(name)}.", f"Use one of {', '.join(names())}; nothing was imported."
    )


def reason_of(value: object, source_line: str) -> str | None:
    """`stop`, `length` or `repetition` from any engine's word for it; None where it is not known."""
    if value is None:
        return None
    if not isinstance(value, str) or value.lower() not in _REASONS:
        raise DataError(
            f"{source_line}: {shown(value)} is no finish reason.", "Use stop, length or repetition, or leave it out."
        )
    return _REASONS[value.lower()]


def parameters_of(value: object, source_line: str) -> int | None:
    """A count of parameters from a number or from text such as `8B`, `1.5b`, `135M`."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < MOST_PARAMETERS):
        return None if value is None else int(value)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmbt]?)\s*", str(value), re.IGNORECASE)
    if not match or isinstance(value, bool):
        raise DataError(f"{source_line}: {shown(value)} is no number of parameters.", "Write 8000000000 or 8B.")
    count = float(match[1]) * {"": 1, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}[match[2].lower()]
    if count >= MOST_PARAMETERS:
        raise DataError(f"{source_line}: {shown(value)} is more parameters than any model has.", "Write 8000000000 or 8B.")
    return round(count)


def _text(row: Json, name: str, source_line: str, filled: bool = False) -> str:
    value = row.get(name)
    if not isinstance(value, str) or (filled and not value.strip()):
        raise DataError(f"{source_line}: `{name}` must be text, not {shown(value)}.", MEND)
    return value.strip() if filled else value


def _compression(value: object, source_line: str) -> str:
    if value is None:
        return "none"
    if not isinstance(value, str):
        raise DataError(f"{source_line}: `compression` must be text, not {shown(value)}.", MEND)
    return value.strip() or "none"


def number_of(row: Json, name: str, source_line: str) -> float | None:
    """A number from 0 to 100; None where there is none."""
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise DataError(f"{source_line}: `{name}` must be a number from 0 to 100, not {shown(value)}.", MEND)
    return float(value)
