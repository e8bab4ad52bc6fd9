"""The three sentences that open a report: what was compared, what came out, how sure that is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from benchmarks.registry import find
from core.results.rows import Findings, ScoreCell, ScoreRow
from core.results.runs import Run
from core.results.show.sheets import interval, number

NAMED = 4
"""Variants or benchmarks that a sentence lists by name."""


def summary(runs: Sequence[Run], rows: Sequence[ScoreRow], findings: Findings) -> list[str]:
    """Three sentences about the rows of a store, one alone where it is empty. `rows`: with recovery, without printed ones."""
    if not runs:
        return ["Nothing has been measured yet."]
    return [_compared(runs), _came_out(rows), _how_sure(rows, findings)]


def _compared(runs: Sequence[Run]) -> str:
    variants, benchmarks = (list(dict.fromkeys(getattr(run, name) for run in runs)) for name in ("variant", "benchmark"))
    responses = sum(run.summary.finished for run in runs)
    asked = sorted({run.summary.questions for run in runs})
    questions = f"{asked[0]}" if len(asked) == 1 else f"{asked[0]} to {asked[-1]}"
    imported = sum(run.origin == "imported" for run in runs)
    origin = f", {imported} of {len(runs)} rows of them imported" if imported else ""
    return (
        f"{_listed(variants, 'variants')} on {_listed([_title(name) for name in benchmarks], 'benchmarks')}, {questions} "
        f"questions each: {responses:,} responses{origin}, from {_day(run.created for run in runs)}."
    )


def _came_out(rows: Sequence[ScoreRow]) -> str:
    averages = [(row["average"], row) for row in rows if row["average"] is not None and row["main"]]
    recoveries = [
        (cell["recovery"], row["label"], name, cell)
        for row in rows
        if row["main"]
        for name, cell in row["benchmarks"].items()
        if cell.get("recovery") is not None
    ]
    parts = []
    if averages:
        best = max(averages, key=lambda pair: pair[0] or 0.0)[1]
        parts.append(f"the best average has {best['label']}, {number(best['average'])}{_ends(best['average_ci'])}")
    if recoveries:
        worst = min(recoveries, key=lambda one: one[0] or 0.0)
        _, label, name, cell = worst
        kept = f"{number(cell['recovery'])} %{_ends(cell.get('recovery_ci'))} of the dense score"
        parts.append(f"{label} keeps least, on {_title(name)} {kept}")
    if not parts:
        return "No average and no dense model beside a compressed one yet: the tables show each score by itself."
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _how_sure(rows: Sequence[ScoreRow], findings: Findings) -> str:
    decided = [claim for claim in findings["claims"] if claim["verdict"] in ("supported", "contradicted")]
    cells = [cell for row in rows for cell in row["benchmarks"].values()]
    claims = f"Of {len(findings['claims'])} claims {len(decided) or 'none'} {'is' if len(decided) == 1 else 'are'} decided"
    names = f" ({'; '.join(claim['claim'].lower() + ': ' + claim['verdict'] for claim in decided)})" if decided else ""
    faults = [f"{count:,} {text}" for text, count in _faults(cells) if count]
    rest = f"; {', '.join(faults)}" if faults else ""
    return f"{claims}{names}, with an error of 5 % for all of them together, and intervals are 95 % ones{rest}."


def _faults(cells: Iterable[ScoreCell]) -> list[tuple[str, int]]:
    every = list(cells)
    endings = [cell.get("endings") or {} for cell in every]
    cut = sum(count for one in endings for name, count in one.items() if name in ("cut_in_thinking", "cut_in_answer", "loop"))
    return [
        ("responses were cut or looped", cut),
        ("had no answer that could be read", sum(cell.get("unparsed") or 0 for cell in every)),
        ("failed", sum(cell.get("failed") or 0 for cell in every)),
        ("rows are doubtful", sum("doubt" in cell for cell in every)),
    ]


def _listed(names: Sequence[str], what: str) -> str:
    if len(names) == 1:
        return names[0]
    if len(names) <= NAMED:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{len(names)} {what}"


def _title(benchmark: str) -> str:
    known = find(benchmark)
    return known.title.partition(" (")[0] if known else benchmark


def _ends(ends: Sequence[float] | None) -> str:
    return "".join(f" ({part})" for part in interval(ends))


def _day(times: Iterable[float]) -> str:
    every = sorted(times)
    first, last = (time.strftime("%Y-%m-%d", time.localtime(when)) for when in (every[0], every[-1]))
    return first if first == last else f"{first} to {last}"
