"""Printed results in the shape of one's own.

They are the paper's (origin `published`), an edition at a time, and those of the embedded family's study, which
`training.record_study` has recorded (origin `recorded`). Both are reference only, and never enter a mean, a finding or a
recommendation of the store.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, TypedDict, cast

import benchmarks
from benchmarks.registry import get, names, of
from core.results.rows import INTERVALS, LengthEnd, LengthRow, ScoreCell, ScoreName, ScoreRow
from core.results.tables.names import compression_name, plain_compression, plain_model
from core.results.tables.printed import (
    EDITIONS,
    RECORDED_EDITION,
    Edition,
    PrintedCell,
    PrintedEnd,
    PrintedLengths,
    PrintedScores,
    PrintedVariant,
    Tables,
)

Q_OF_TABLE = {4: 30, 5: 20}
"""The share at either end in percent."""
PAPER = Path(benchmarks.__file__).with_name("published.toml")
RECORDED = Path(benchmarks.__file__).parent / "pocket" / "study.json"
FIRST = EDITIONS[0]


@cache
def tables() -> Tables:
    """The rows of benchmarks/published.toml and benchmarks/pocket/study.json as they stand, the study's with their passes."""
    paper, study = tomllib.loads(PAPER.read_text(encoding="utf-8")), json.loads(RECORDED.read_text(encoding="utf-8"))
    for row in (*study["scores"], *study["lengths"]):
        row["passes"] = len(study["seeds"])
    return {
        "sources": {**paper["sources"], **study["sources"]},
        "scores": [*paper["scores"], *study["scores"]],
        "lengths": [*paper["lengths"], *study["lengths"]],
        "collapse": paper["collapse"],
    }


class About(TypedDict):
    """What a printed row is of, and where it stands."""

    variant: str
    label: str
    model: str
    compression: str
    engine: None
    origin: str
    table: int
    edition: str
    source: str
    passes: int
    note: str | None


def published_rows(edition: Edition = FIRST, table: int | None = None) -> list[ScoreRow]:
    """Scores of an edition and of the study in the shape of `scores_rows`; None where nothing was printed or is known.

    Each says its `source`, and in a `note` what is odd about it.
    """
    rows = [printed for printed in tables()["scores"] if printed["edition"] in (edition, RECORDED_EDITION)]
    return [_row(printed) for printed in rows if table in (None, printed["table"])]


def _row(printed: PrintedScores) -> ScoreRow:
    cells = cast(Mapping[str, float | PrintedCell], printed)
    return {
        **_about(printed),
        "family": printed["family"],
        "parameters": int(printed["parameters"]),
        "bits_per_weight": printed.get("bits_per_weight"),
        "sparsity": printed.get("sparsity"),
        "sampling": None,
        "main": False,
        "benchmarks": {name: _cell(cells[name], name) for name in names() if name in cells},
        "average": printed.get("average"),
        "average_ci": None,
        "average_of": printed.get("average_of", list(of("paper", "reasoning"))),
    }


def _about(printed: PrintedVariant) -> About:
    compression, table = compression_name(printed["compression"]), f"Table {printed['table']}"
    variant, recorded = f"{printed['model']} {compression}", printed["edition"] == RECORDED_EDITION
    source = tables()["sources"][printed["source"]]
    return {
        "variant": variant,
        "label": f"{variant} ({'recorded' if recorded else table})",
        "model": printed["model"],
        "compression": compression,
        "engine": None,
        "origin": "recorded" if recorded else "published",
        "table": printed["table"],
        "edition": printed["edition"],
        "source": source if recorded else f"{source}; {table}, {printed['edition']}",
        "passes": printed.get("passes", 1),
        "note": printed.get("note"),
    }


def _cell(value: float | PrintedCell, name: str) -> ScoreCell:
    """A percentage, or all that is known."""
    known: PrintedCell = {"accuracy": value} if isinstance(value, float | int) else value
    n = known.get("n", get(name).questions)
    cell: ScoreCell = {"n": n, "finished": None, "unparsed": None, "failed": None, "run": None}
    for score in _scores_of(name):
        cell[score] = known.get(score)
        cell[INTERVALS[score]] = known.get(INTERVALS[score])
    return cell


def questions_of(n: int, edition: str, passes: int) -> int:
    """How many questions are behind a printed n: the study counts the responses of all passes, the paper its questions."""
    return n // passes if edition == RECORDED_EDITION else n


def _scores_of(benchmark: str) -> tuple[ScoreName, ...]:
    return ("em", "f1") if get(benchmark).metric == "em_f1" else ("accuracy",)


def published_lengths(q: float, edition: Edition = FIRST) -> list[LengthRow]:
    """Printed lengths at either end in the shape of `lengths_rows`, for a q that the paper has; None where nothing is known."""
    rows = [printed for printed in tables()["lengths"] if printed["edition"] in (edition, RECORDED_EDITION)]
    return [_length_row(printed, q) for printed in rows if Q_OF_TABLE[printed["table"]] == q]


def _length_row(printed: PrintedLengths, q: float) -> LengthRow:
    about, name = _about(printed), printed["benchmark"]
    n = printed.get("n", get(name).questions)
    return {
        "variant": about["variant"],
        "label": about["label"],
        "model": about["model"],
        "compression": about["compression"],
        "engine": about["engine"],
        "origin": about["origin"],
        "table": about["table"],
        "edition": about["edition"],
        "source": about["source"],
        "passes": about["passes"],
        "note": about["note"],
        "benchmark": name,
        "q": q,
        "k": math.floor(q * n / 100),
        "short": _end(printed.get("short", {}), name),
        "long": _end(printed.get("long", {}), name),
        "ratio": printed.get("ratio"),
        "censored": None,
        "thinking_words": None,
        "answer_words": None,
        "run": None,
        "n": n,
        "questions": questions_of(n, about["edition"], about["passes"]),
    }


def _end(printed: PrintedEnd, benchmark: str) -> LengthEnd:
    """An end, which may be unknown."""
    end: LengthEnd = {"words": printed.get("words")}
    for score in _scores_of(benchmark):
        end[score] = printed.get(score)
    return end


@cache
def _by_name(edition: Edition) -> dict[tuple[str, str, str], tuple[ScoreRow, ScoreCell]]:
    """The row and cell of each variant and benchmark, from the lowest table that has it."""
    cells: dict[tuple[str, str, str], tuple[ScoreRow, ScoreCell]] = {}
    for row in sorted(published_rows(edition), key=lambda row: row["table"]):
        for name, cell in row["benchmarks"].items():
            cells.setdefault((*plain(row), name), (row, cell))
    return cells


def reference(row: ScoreRow, benchmark: str, edition: Edition = FIRST) -> tuple[ScoreRow, ScoreCell] | None:
    """The printed row and cell of a row's variant on a benchmark, from the lowest table that has it; None where none has."""
    return _by_name(edition).get((*plain(row), benchmark))


def plain(row: ScoreRow | LengthRow) -> tuple[str, str]:
    """The model and the compression of a row, spelt as in every other row of the same."""
    return plain_model(row["model"]), plain_compression(row["compression"])


def same_variant(one: ScoreRow | LengthRow, other: ScoreRow | LengthRow) -> bool:
    """Whether two rows speak of the same model under the same compression, however they spell it."""
    return plain(one) == plain(other)


def other_editions(
    rows: Iterable[ScoreRow | LengthRow], edition: Edition, part: Literal["scores", "lengths"] = "scores"
) -> list[Edition]:
    """The editions whose scores or lengths have a variant of these rows of which those of the chosen one have nothing."""
    missing = {plain(row) for row in rows}
    printed: dict[str, set[tuple[str, str]]] = {}
    for row in tables()[part]:
        printed.setdefault(row["edition"], set()).add((plain_model(row["model"]), plain_compression(row["compression"])))
    missing -= printed.get(edition, set()) | printed.get(RECORDED_EDITION, set())
    return [other for other in EDITIONS if missing & printed.get(other, set())]
