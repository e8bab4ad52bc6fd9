"""The paper's printed results beside one's own: rows of origin `published`, and how far one's own runs are from them.

Published rows are reference only; they never enter a mean, a finding or a recommendation of the store.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import benchmarks
from core.analysis.intervals import difference

QUESTIONS = {"aime": 30, "folio": 203, "temporal": 250, "musique": 100}
"""How many questions stand behind a printed number."""
FILE = Path(benchmarks.__file__).with_name("published.toml")

Row = Mapping[str, Any]


@cache
def tables() -> dict[str, Any]:
    """benchmarks/published.toml as it stands."""
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def published_rows(table: int | None = None) -> list[dict[str, Any]]:
    """Printed scores in the shape of `scores_rows`, with their `source`; None where nothing was printed or is known."""
    return [_row(printed) for printed in tables()["scores"] if table in (None, printed["table"])]


def _row(printed: Row) -> dict[str, Any]:
    label = f"{printed['model']} {printed['compression']}"
    about = f"{tables()['sources'][printed['source']]}; Table {printed['table']}, {printed['edition']}"
    return {
        **{"variant": label, "label": f"{label} (Table {printed['table']})", "model": printed["model"]},
        **{"family": printed["family"], "parameters": int(printed["parameters"]), "compression": printed["compression"]},
        **{"bits_per_weight": printed.get("bits_per_weight"), "sparsity": printed.get("sparsity")},
        **{"origin": "published", "engine": None},
        "benchmarks": {name: _cell(printed, name) for name in QUESTIONS if name in printed},
        **{"average": printed.get("average"), "average_ci": None, "average_of": ["aime", "folio", "temporal"]},
        **{"source": about, "note": printed.get("note"), "table": printed["table"], "edition": printed["edition"]},
    }


def _cell(printed: Row, name: str) -> dict[str, Any]:
    counts = {"n": QUESTIONS[name], "finished": None, "unparsed": None, "failed": None, "run": None}
    if name != "musique":
        return {**counts, "accuracy": printed[name], "accuracy_ci": None}
    value = printed[name]
    return {**counts, "em": value.get("em"), "em_ci": None, "f1": value.get("f1"), "f1_ci": None}


def with_differences(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One's own rows, each cell of which that was printed for the same model and compression has `published`.

    That is {table, accuracy | em, f1, difference, difference_ci, within_noise}: own minus printed, in percentage points.
    Shares are compared by Newcombe's interval over the questions on both sides. F1 was printed without its spread, so that
    only one's own interval can be asked whether it holds the printed value; `difference_ci` is then that interval shifted.
    """
    return [{**row, "benchmarks": {n: _compared(row, n, c) for n, c in row["benchmarks"].items()}} for row in rows]


def _compared(row: Row, name: str, cell: Row) -> dict[str, Any]:
    printed = reference(row["model"], row["compression"], name)
    if printed is None:
        return dict(cell)
    table, values = printed
    found: dict[str, Any] = {"table": table}
    for metric in ("accuracy", "em", "f1"):
        if cell.get(metric) is None or values.get(metric) is None:
            continue
        if metric == "f1":
            low, high = (end - values[metric] for end in cell["f1_ci"])
        else:
            n, questions = cell["finished"], QUESTIONS[name]
            interval = difference((cell[metric] * n / 100, n), (values[metric] * questions / 100, questions))
            assert interval is not None
            low, high = (100 * end for end in interval)
        ends = {"difference": cell[metric] - values[metric], "difference_ci": [low, high], "within_noise": low <= 0 <= high}
        found |= {metric: {"printed": values[metric], **ends}}
    return {**cell, "published": found}


def reference(model: str, compression: str, benchmark: str) -> tuple[int, Row] | None:
    """(table, printed cell) for a variant on a benchmark, as the lowest table that has it; None where none has."""
    for row in sorted(published_rows(), key=lambda row: row["table"]):
        if same_variant(row, {"model": model, "compression": compression}) and benchmark in row["benchmarks"]:
            return row["table"], row["benchmarks"][benchmark]
    return None


def same_variant(one: Row, other: Row) -> bool:
    """Whether two rows speak of the same model under the same compression, however they spell it."""
    return all(_plain(one[name]) == _plain(other[name]) for name in ("model", "compression"))


def _plain(name: str) -> str:
    """One spelling: `deepseek-ai/DeepSeek-R1-Distill-Llama-8B` and `R1-Distill-Llama-8B` are one model."""
    plain = re.sub(r"[^a-z0-9.]", "", name.rsplit("/", 1)[-1].lower())
    return plain if plain == "deepseekr1" else plain.removeprefix("deepseek")
