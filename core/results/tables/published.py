"""Printed results beside one's own, and how far one's own runs are from them.

They are the paper's (origin `published`) and those of the embedded family's study, which `training.record_study` has recorded
(origin `recorded`). Both are reference only, and never enter a mean, a finding or a recommendation of the store.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypedDict, cast

import benchmarks
from benchmarks.registry import get, names, of
from core.results.rows import (
    ENDS,
    INTERVALS,
    SCORE_NAMES,
    Difference,
    Differences,
    LengthEnd,
    LengthRow,
    PublishedCell,
    ScoreCell,
    ScoreName,
    ScoreRow,
)
from core.results.stats import difference
from core.results.tables.printed import PrintedCell, PrintedEnd, PrintedLengths, PrintedScores, PrintedVariant, Tables

Q_OF_TABLE = {4: 30, 5: 20}
"""The share at either end: Table 4 prints ninths for AIME's 30 questions, which is 30 %."""
PAPER = Path(benchmarks.__file__).with_name("published.toml")
RECORDED = Path(benchmarks.__file__).parent / "pocket" / "study.json"


@cache
def tables() -> Tables:
    """The rows of benchmarks/published.toml and benchmarks/pocket/study.json as they stand."""
    paper, study = tomllib.loads(PAPER.read_text(encoding="utf-8")), json.loads(RECORDED.read_text(encoding="utf-8"))
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


def published_rows(table: int | None = None) -> list[ScoreRow]:
    """Printed scores in the shape of `scores_rows`, with their `source`; None where nothing was printed or is known."""
    return [_row(printed) for printed in tables()["scores"] if table in (None, printed["table"])]


def _row(printed: PrintedScores) -> ScoreRow:
    cells = cast(Mapping[str, float | PrintedCell], printed)
    return {
        **_about(printed),
        "family": printed["family"],
        "parameters": int(printed["parameters"]),
        "bits_per_weight": printed.get("bits_per_weight"),
        "sparsity": printed.get("sparsity"),
        "benchmarks": {name: _cell(cells[name], name) for name in names() if name in cells},
        "average": printed.get("average"),
        "average_ci": None,
        "average_of": printed.get("average_of", list(of("paper", "reasoning"))),
        "note": printed.get("note"),
    }


def _about(printed: PrintedVariant) -> About:
    variant, table = f"{printed['model']} {printed['compression']}", f"Table {printed['table']}"
    source, recorded = tables()["sources"][printed["source"]], printed["edition"] == "study"
    return {
        "variant": variant,
        "label": f"{variant} ({'recorded' if recorded else table})",
        "model": printed["model"],
        "compression": printed["compression"],
        "engine": None,
        "origin": "recorded" if recorded else "published",
        "table": printed["table"],
        "edition": printed["edition"],
        "source": source if recorded else f"{source}; {table}, {printed['edition']}",
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


def _scores_of(benchmark: str) -> tuple[ScoreName, ...]:
    return ("em", "f1") if get(benchmark).metric == "em_f1" else ("accuracy",)


def with_differences(rows: Sequence[ScoreRow]) -> list[ScoreRow]:
    """One's own rows, each cell of which that was printed for the same model and compression has `published`.

    That is {origin, table, accuracy | em, f1, difference, difference_ci, within_noise}: own less printed, in percentage points.
    Shares are compared by Newcombe's interval over the questions on both sides. F1 was printed without its spread, so that
    only one's own interval can be asked whether it holds the printed value; `difference_ci` is then that interval shifted.
    """
    return [{**row, "benchmarks": {n: _compared(row, n, c) for n, c in row["benchmarks"].items()}} for row in rows]


def _compared(row: ScoreRow, name: str, cell: ScoreCell) -> ScoreCell:
    printed, finished = reference(row["model"], row["compression"], name), cell["finished"]
    if printed is None or finished is None:
        return cell
    origin, table, values = printed
    differences: PublishedCell = {"origin": origin, "table": table}
    for score in SCORE_NAMES:
        own, theirs = cell.get(score), values.get(score)
        if own is None or theirs is None:
            continue
        compared = _difference(score, (own, finished), (theirs, values["n"]))
        if score == "f1" and (ends := cell["f1_ci"]):
            low, high = (end - theirs for end in ends)
            compared["difference_ci"], compared["within_noise"] = [low, high], low <= 0 <= high
        differences[score] = compared
    return {**cell, "published": differences}


def published_lengths(q: float) -> list[LengthRow]:
    """Printed lengths at either end in the shape of `lengths_rows`, for a q that the paper has; None where nothing is known."""
    return [_length_row(printed, q) for printed in tables()["lengths"] if Q_OF_TABLE[printed["table"]] == q]


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
    }


def _end(printed: PrintedEnd, benchmark: str) -> LengthEnd:
    """An end, which may be unknown."""
    end: LengthEnd = {"words": printed.get("words")}
    for score in _scores_of(benchmark):
        end[score] = printed.get(score)
    return end


def lengths_with_differences(rows: Sequence[LengthRow]) -> list[LengthRow]:
    """Rows of `lengths_rows`, each that was printed for the same variant, benchmark and q with `published`.

    That is {origin, table, short: {accuracy | em, f1: {printed, difference, difference_ci, within_noise}}, long: {...}}.
    Shares are compared by Newcombe's interval over the k responses on both sides; F1 was printed without its spread, so that
    there is none.
    """
    printed = {(_plain(row["variant"]), row["benchmark"], row["q"]): row for q in (30, 20) for row in published_lengths(q)}
    return [_at_ends(row, printed.get((_plain(row["variant"]), row["benchmark"], row["q"]))) for row in rows]


def _at_ends(row: LengthRow, printed: LengthRow | None) -> LengthRow:
    if printed is None:
        return row
    short, long = (_end_differences(row[end], row["k"], printed[end], printed["k"]) for end in ENDS)
    return {**row, "published": {"origin": printed["origin"], "table": printed["table"], "short": short, "long": long}}


def _end_differences(own: LengthEnd, own_k: int, printed: LengthEnd, printed_k: int) -> Differences:
    differences: Differences = {}
    for score in SCORE_NAMES:
        mine, theirs = own.get(score), printed.get(score)
        if mine is not None and theirs is not None:
            differences[score] = _difference(score, (mine, own_k), (theirs, printed_k))
    return differences


def _difference(score: ScoreName, own: tuple[float, int], printed: tuple[float, int]) -> Difference:
    apart: Difference = {
        "printed": printed[0],
        "difference": own[0] - printed[0],
        "difference_ci": None,
        "within_noise": None,
    }
    if score == "f1":
        return apart
    interval = difference((own[0] * own[1] / 100, own[1]), (printed[0] * printed[1] / 100, printed[1]))
    assert interval is not None
    low, high = (100 * end for end in interval)
    return {**apart, "difference_ci": [low, high], "within_noise": low <= 0 <= high}


@cache
def _by_name() -> dict[tuple[str, str, str], tuple[str, int, ScoreCell]]:
    """The printed cell of each variant and benchmark, from the lowest table that has it."""
    cells: dict[tuple[str, str, str], tuple[str, int, ScoreCell]] = {}
    for row in sorted(published_rows(), key=lambda row: row["table"]):
        for name, cell in row["benchmarks"].items():
            cells.setdefault((_plain(row["model"]), _plain(row["compression"]), name), (row["origin"], row["table"], cell))
    return cells


def reference(model: str, compression: str, benchmark: str) -> tuple[str, int, ScoreCell] | None:
    """(origin, table, printed cell) for a variant on a benchmark, as the lowest table that has it; None where none has."""
    return _by_name().get((_plain(model), _plain(compression), benchmark))


def same_variant(one: ScoreRow, other: ScoreRow) -> bool:
    """Whether two rows speak of the same model under the same compression, however they spell it."""
    return _plain(one["model"]) == _plain(other["model"]) and _plain(one["compression"]) == _plain(other["compression"])


@cache
def _plain(name: str) -> str:
    """One spelling: `deepseek-ai/DeepSeek-R1-Distill-Llama-8B` and `R1-Distill-Llama-8B` are one model."""
    plain = re.sub(r"[^a-z0-9.]", "", name.rsplit("/", 1)[-1].lower())
    return plain if plain == "deepseekr1" else plain.removeprefix("deepseek")
