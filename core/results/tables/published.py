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
from typing import Any

import benchmarks
from benchmarks.registry import get, names, of
from core.results.stats import difference

Q_OF_TABLE = {4: 30, 5: 20}
"""The share at either end: Table 4 prints ninths for AIME's 30 questions, which is 30 %."""
PAPER = Path(benchmarks.__file__).with_name("published.toml")
RECORDED = Path(benchmarks.__file__).parent / "pocket" / "study.json"

Row = Mapping[str, Any]


@cache
def tables() -> dict[str, Any]:
    """benchmarks/published.toml and benchmarks/pocket/study.json as they stand."""
    paper, study = tomllib.loads(PAPER.read_text(encoding="utf-8")), json.loads(RECORDED.read_text(encoding="utf-8"))
    both = {name: [*paper[name], *study[name]] for name in ("scores", "lengths")}
    return {**paper, **both, "sources": {**paper["sources"], **study["sources"]}}


def published_rows(table: int | None = None) -> list[dict[str, Any]]:
    """Printed scores in the shape of `scores_rows`, with their `source`; None where nothing was printed or is known."""
    return [_row(printed) for printed in tables()["scores"] if table in (None, printed["table"])]


def _row(printed: Row) -> dict[str, Any]:
    return {
        **_about(printed),
        **{"family": printed["family"], "parameters": int(printed["parameters"])},
        **{"bits_per_weight": printed.get("bits_per_weight"), "sparsity": printed.get("sparsity")},
        "benchmarks": {name: _cell(printed[name], name) for name in names() if name in printed},
        **{"average": printed.get("average"), "average_ci": None},
        "average_of": printed.get("average_of", list(of("paper", "reasoning"))),
        "note": printed.get("note"),
    }


def _about(printed: Row) -> dict[str, Any]:
    """What a row is of, and where it stands."""
    variant, table = f"{printed['model']} {printed['compression']}", f"Table {printed['table']}"
    source, recorded = tables()["sources"][printed["source"]], printed["edition"] == "study"
    return {
        **{"variant": variant, "label": f"{variant} ({'recorded' if recorded else table})", "model": printed["model"]},
        **{"compression": printed["compression"], "engine": None, "origin": "recorded" if recorded else "published"},
        **{"table": printed["table"], "edition": printed["edition"]},
        "source": source if recorded else f"{source}; {table}, {printed['edition']}",
    }


def _cell(value: Any, name: str) -> dict[str, Any]:  # noqa: ANN401
    """A percentage, or a table of what else is known: n, accuracy, em, f1."""
    known = value if isinstance(value, Mapping) else {"accuracy": value}
    counts = {"n": known.get("n", get(name).questions), "finished": None, "unparsed": None, "failed": None, "run": None}
    metrics = ("em", "f1") if get(name).metric == "em_f1" else ("accuracy",)
    return counts | {key: known.get(key) for metric in metrics for key in (metric, f"{metric}_ci")}


def with_differences(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One's own rows, each cell of which that was printed for the same model and compression has `published`.

    That is {origin, table, accuracy | em, f1, difference, difference_ci, within_noise}: own less printed, in percentage points.
    Shares are compared by Newcombe's interval over the questions on both sides. F1 was printed without its spread, so that
    only one's own interval can be asked whether it holds the printed value; `difference_ci` is then that interval shifted.
    """
    return [{**row, "benchmarks": {n: _compared(row, n, c) for n, c in row["benchmarks"].items()}} for row in rows]


def _compared(row: Row, name: str, cell: Row) -> dict[str, Any]:
    printed = reference(row["model"], row["compression"], name)
    if printed is None:
        return dict(cell)
    origin, table, values = printed
    found: dict[str, Any] = {"origin": origin, "table": table}
    for metric in ("accuracy", "em", "f1"):
        if cell.get(metric) is None or values.get(metric) is None:
            continue
        compared = _difference(metric, (cell[metric], cell["finished"]), (values[metric], values["n"]))
        if metric == "f1":
            low, high = (end - values[metric] for end in cell["f1_ci"])
            compared |= {"difference_ci": [low, high], "within_noise": low <= 0 <= high}
        found[metric] = compared
    return {**cell, "published": found}


def published_lengths(q: float) -> list[dict[str, Any]]:
    """Printed lengths at either end in the shape of `lengths_rows`, for a q that the paper has; None where nothing is known."""
    return [_ends(printed, q) for printed in tables()["lengths"] if Q_OF_TABLE[printed["table"]] == q]


def _ends(printed: Row, q: float) -> dict[str, Any]:
    name = printed["benchmark"]
    metrics = ("em", "f1") if get(name).metric == "em_f1" else ("accuracy",)
    n = printed.get("n", get(name).questions)
    short, long = (
        {key: printed.get(end, {}).get(key) for key in ("words", *metrics)}  # an end may be unknown
        for end in ("short", "long")
    )
    return {
        **_about(printed),
        "benchmark": name,
        **{"q": q, "k": math.floor(q * n / 100), "short": short, "long": long, "ratio": printed.get("ratio")},
        **dict.fromkeys(("censored", "thinking_words", "answer_words", "run")),
        "n": n,
    }


def lengths_with_differences(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows of `lengths_rows`, each that was printed for the same variant, benchmark and q with `published`.

    That is {origin, table, short: {accuracy | em, f1: {printed, difference, difference_ci, within_noise}}, long: {...}}.
    Shares are compared by Newcombe's interval over the k responses on both sides; F1 was printed without its spread, so that
    there is none.
    """
    printed = {(_plain(row["variant"]), row["benchmark"], row["q"]): row for q in (30, 20) for row in published_lengths(q)}
    return [_at_ends(row, printed.get((_plain(row["variant"]), row["benchmark"], row["q"]))) for row in rows]


def _at_ends(row: Row, printed: Row | None) -> dict[str, Any]:
    if printed is None:
        return dict(row)
    found: dict[str, Any] = {"origin": printed["origin"], "table": printed["table"]}
    for end in ("short", "long"):
        found[end] = {
            metric: _difference(metric, (row[end][metric], row["k"]), (value, printed["k"]))
            for metric, value in printed[end].items()
            if metric != "words" and value is not None and row[end][metric] is not None
        }
    return {**row, "published": found}


def _difference(metric: str, own: tuple[float, int], printed: tuple[float, int]) -> dict[str, Any]:
    ends = {"printed": printed[0], "difference": own[0] - printed[0]}
    if metric == "f1":
        return ends | {"difference_ci": None, "within_noise": None}
    interval = difference((own[0] * own[1] / 100, own[1]), (printed[0] * printed[1] / 100, printed[1]))
    assert interval is not None
    low, high = (100 * end for end in interval)
    return ends | {"difference_ci": [low, high], "within_noise": low <= 0 <= high}


@cache
def _by_name() -> dict[tuple[str, str, str], tuple[str, int, Row]]:
    """The printed cell of each variant and benchmark, from the lowest table that has it."""
    found: dict[tuple[str, str, str], tuple[str, int, Row]] = {}
    for row in sorted(published_rows(), key=lambda row: row["table"]):
        for name, cell in row["benchmarks"].items():
            found.setdefault((_plain(row["model"]), _plain(row["compression"]), name), (row["origin"], row["table"], cell))
    return found


def reference(model: str, compression: str, benchmark: str) -> tuple[str, int, Row] | None:
    """(origin, table, printed cell) for a variant on a benchmark, as the lowest table that has it; None where none has."""
    return _by_name().get((_plain(model), _plain(compression), benchmark))


def same_variant(one: Row, other: Row) -> bool:
    """Whether two rows speak of the same model under the same compression, however they spell it."""
    return all(_plain(one[name]) == _plain(other[name]) for name in ("model", "compression"))


@cache
def _plain(name: str) -> str:
    """One spelling: `deepseek-ai/DeepSeek-R1-Distill-Llama-8B` and `R1-Distill-Llama-8B` are one model."""
    plain = re.sub(r"[^a-z0-9.]", "", name.rsplit("/", 1)[-1].lower())
    return plain if plain == "deepseekr1" else plain.removeprefix("deepseek")
