"""Scores, lengths and loops as sheets that fit a terminal of 80 columns.

A sheet of scores has one benchmark in each column, so the suites are separate sheets. The facts about a variant stand below
its name, and intervals below scores; nothing is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from benchmarks.registry import find, get, names
from core.results.rows import SCORE_NAMES, CollapseCell, End, LengthRow, ScoreCell, ScoreName, ScoreRow
from core.results.show.sheets import (
    ROUNDING,
    UNKNOWN,
    Cell,
    Sheet,
    average_in,
    belongs,
    best_of,
    censored,
    changes,
    corrected_ends,
    counts,
    deciding,
    f1_digits,
    lost_ends,
    number,
    printed_at,
    words,
)
from core.results.tables.scores import AVERAGES
from core.spec import REFERENCES

_BEFORE: dict[ScoreName, str] = {"accuracy": "", "em": "EM ", "f1": "F1 "}


def scores_sheets(rows: Sequence[ScoreRow]) -> list[Sheet]:
    """What `scores_rows` gives: one sheet a suite, a section a family, the best score of each column in bold."""
    present = [name for name in names() if any(name in row["benchmarks"] for row in rows)]
    suites = {
        "The paper's benchmarks": [name for name in present if get(name).suite == "paper"],
        "Mini-suite": [name for name in present if get(name).suite == "pocket"],
    }
    sheets = []
    for title, benchmarks in suites.items():
        if members := [row for row in rows if belongs(row, benchmarks)]:
            sheets.append(_suite(title, benchmarks, members))
    return sheets


def _suite(title: str, benchmarks: Sequence[str], rows: Sequence[ScoreRow]) -> Sheet:
    own = [row for row in rows if row["origin"] not in REFERENCES]
    best = {name: best_of(deciding(row["benchmarks"].get(name)) for row in own) for name in benchmarks}
    best_average = best_of(average_in(row, benchmarks) for row in own)
    body = []
    for row in rows:
        mine = row["origin"] not in REFERENCES
        scores = [_score(row["benchmarks"].get(name), best[name] if mine else None) for name in benchmarks]
        average = average_in(row, benchmarks)
        interval = row["average_ci"] if average is not None else None
        body.append((_variant(row), *scores, _number(average, interval, best_average if mine else None)))
    mini = any(get(name).suite == "pocket" for name in benchmarks)
    averaged = ", ".join(_name(name) for name in AVERAGES[mini])
    return Sheet(
        "scores",
        title,
        "Percent; below it the 95 % interval, n questions (finished of planned where some are missing) and, where "
        f"there are any, those without an answer that can be read and those that failed. Average: {averaged}.",
        ("Variant", *(_head(name, rows) for name in benchmarks), "Average"),
        tuple(body),
        breaks=changes(rows, lambda row: row["family"]),
    )


def lengths_sheet(rows: Sequence[LengthRow]) -> Sheet:
    """What `lengths_rows` gives: scores and mean lengths of the shortest and of the longest q %, variant by variant."""
    body = [
        (
            *(Cell(row["label"]), Cell(row["benchmark"]), Cell(str(row["k"]))),
            *(Cell(words(row["short"]["words"])), _end(row, "short"), Cell(words(row["long"]["words"])), _end(row, "long")),
            Cell(UNKNOWN if row["ratio"] is None else f"{row['ratio']:.2f}"),
            Cell(censored(row).replace(" of ", "/")),
        )
        for row in rows
    ]
    q = f"{rows[0]['q']:g} %" if rows else "q %"
    return Sheet(
        "lengths",
        f"The shortest and the longest {q}",
        "Words: thinking plus answer, mean. k: responses at each end. Ratio: longest over shortest. Censored: cut at "
        "the limit or stopped for repetition, of the finished. Scores in percent.",
        ("Variant", "Benchmark", "k", "Short\nwords", "Short\nscore", "Long\nwords", "Long\nscore", "Ratio", "Censored"),
        tuple(body),
        texts=2,
        breaks=changes(rows, lambda row: row["label"]),
    )


def collapse_sheet(cells: Sequence[CollapseCell]) -> Sheet:
    """What `collapse_cells` gives: how often outputs ended in a loop, where and at what cost, variant by variant."""
    body = [
        (
            *(Cell(cell["label"]), Cell(cell["benchmark"])),
            Cell(f"{cell['collapsed']} of {cell['n']}", (f"{cell['share']:.1f} %",)),
            *(Cell(words(cell["onset_words"])), Cell(words(cell["period_words"])), Cell(words(cell["tokens_saved"]))),
            _lost(cell),
            _number(cell["corrected"], corrected_ends(cell), None),
        )
        for cell in cells
    ]
    return Sheet(
        "collapse",
        "Repetition collapse",
        "Onset and period: medians in words. Saved: what the limits left to the stopped ones. Lost: of the collapsed that were "
        "let run on, those that earned credit in the end, with the 95 % interval of their share. Corrected: the score in "
        "percent with the stopped ones credited at that share; in the scores they count as wrong.",
        ("Variant", "Benchmark", "Collapsed", "Onset", "Period", "Saved\ntokens", "Lost", "Corrected"),
        tuple(body),
        texts=2,
        breaks=changes(cells, lambda cell: cell["label"]),
    )


def _lost(cell: CollapseCell) -> Cell:
    if not cell["audited"]:
        return Cell("none audited" if cell["stopped"] else UNKNOWN)
    low, high = lost_ends(cell) or (0.0, 0.0)
    return Cell(f"{cell['lost']} of {cell['audited']}", (f"{low:.0f}-{high:.0f} %",))


def _name(benchmark: str) -> str:
    """A benchmark's name without that of its suite, which heads the sheet."""
    known = find(benchmark)
    return benchmark.removeprefix(f"{known.suite}-") if known else benchmark


def _head(benchmark: str, rows: Iterable[ScoreRow]) -> str:
    two = any(benchmark in row["benchmarks"] and "f1" in row["benchmarks"][benchmark] for row in rows)
    return _name(benchmark) + ("\nEM / F1" if two else "")


def _variant(row: ScoreRow) -> Cell:
    edition = f" {row['edition']}" if row["origin"] == "published" else ""
    facts = [] if row["origin"] == "measured" else [row["origin"] + edition]
    if row["bits_per_weight"] is not None:
        facts.append(f"{row['bits_per_weight']:.2f} bits")
    if row["sparsity"] is not None and row["sparsity"] >= 1:
        facts.append(f"{row['sparsity']:.0f} % zeros")
    return Cell(row["label"], tuple(facts))


def _score(cell: ScoreCell | None, best: float | None) -> Cell:
    if cell is None:
        return Cell(UNKNOWN)
    below = tuple(re.sub(r", (?=unfinished|within|beyond)|: ", "\n", "\n".join(counts(cell))).split("\n"))
    if "accuracy" in cell:
        score = _number(cell["accuracy"], cell["accuracy_ci"], best)
        return Cell(score.text, score.notes + below, score.strong)
    em = _number(cell["em"], cell["em_ci"], None)
    f1 = _number(cell["f1"], cell["f1_ci"], best, f1_digits(cell))
    intervals = tuple(" / ".join(pair) for pair in zip_longest(em.notes, f1.notes, fillvalue=UNKNOWN))
    return Cell(f"{em.text} / {f1.text}", intervals + below, f1.strong)


def _number(value: float | None, interval: Sequence[float] | None, best: float | None, digits: int = 1) -> Cell:
    if value is None:
        return Cell(UNKNOWN)
    notes = (f"{interval[0]:.0f}-{interval[1]:.0f}",) if interval else ()
    return Cell(f"{value:.{digits}f}", notes, best is not None and best - value < ROUNDING)


def _end(row: LengthRow, end: End) -> Cell:
    printed = tuple(line for note in printed_at(row, end) for line in re.sub(r", |: ", "\n", note).split("\n"))
    scores = row[end]
    first, *others = (_BEFORE[name] + number(scores[name]) for name in SCORE_NAMES if name in scores)
    return Cell(first, printed, lines=tuple(others))
