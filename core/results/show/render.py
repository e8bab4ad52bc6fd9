"""The analysis as `rich` tables for the command line: usable at 80 columns, every string made safe, marks in words.

A table of scores stands one benchmark a column, so both suites are stacked, never set side by side. What describes a
variant is folded under its name; nothing is dropped. Tables of lengths and loops have a line for each benchmark, under
the variant's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from rich.table import Table
from rich.text import Text

from benchmarks.registry import names
from core.results.show.sheets import belongs, censored, counts, f1_digits, printed_at, words
from core.results.show.writers import plain_table
from core.results.tables.scores import AVERAGES
from core.spec import REFERENCES
from core.text import printable

Row = Mapping[str, Any]

UNKNOWN = "–"
_MINI_SUITE = "pocket-"
_ROUNDING = 0.05


def scores_table(rows: Sequence[Row]) -> Table:
    """What `scores_rows` gives: one table a suite, a section a family, the best score of each column in bold."""
    grid = Table.grid(padding=(0, 0, 1, 0))
    present = [name for name in names() if any(name in row["benchmarks"] for row in rows)]
    suites = {
        "The paper's benchmarks": [name for name in present if not name.startswith(_MINI_SUITE)],
        "Mini-suite": [name for name in present if name.startswith(_MINI_SUITE)],
    }
    for title, benchmarks in suites.items():
        shown = [row for row in rows if belongs(row, benchmarks)]
        if shown:
            grid.add_row(_suite(title, benchmarks, shown))
    return grid


def _suite(title: str, benchmarks: Sequence[str], rows: Sequence[Row]) -> Table:
    table = plain_table(
        title,
        "Percent; below it the 95 % interval, n responses (finished of planned where some are missing) and, where "
        "there are any, those without an answer that can be read and those that failed. Average: "
        + ", ".join(_averaged(benchmarks))
        + ".",
    )
    table.add_column("Variant", overflow="fold", min_width=16)
    for name in benchmarks:
        table.add_column(_header(name, rows), justify="right", overflow="fold")
    table.add_column("Average", justify="right", overflow="fold")
    own = [row for row in rows if row["origin"] not in REFERENCES]
    best = {name: _best([_main(row["benchmarks"].get(name)) for row in own]) for name in benchmarks}
    averages = [row["average"] if _averaged_here(row, benchmarks) else None for row in rows]
    best_average = _best([row["average"] for row in own if _averaged_here(row, benchmarks)])
    family = rows[0]["family"]
    for row, average in zip(rows, averages, strict=True):
        if row["family"] != family:
            table.add_section()
            family = row["family"]
        mine = row["origin"] not in REFERENCES
        cells = [_score(row["benchmarks"].get(name), best[name] if mine else None) for name in benchmarks]
        interval = row["average_ci"] if average is not None else None
        table.add_row(_variant(row), *cells, _number(average, interval, best_average if mine else None))
    return table


def lengths_table(rows: Sequence[Row]) -> Table:
    """What `lengths_rows` gives: scores and mean lengths of the shortest and of the longest q %, variant by variant."""
    q = f"{rows[0]['q']:g} %" if rows else "q %"
    table = plain_table(
        f"The shortest and the longest {q}",
        "Words: thinking plus answer, mean. k: responses at each end. Ratio: longest over shortest. Censored: cut at "
        "the limit or stopped for repetition, of the finished. Scores in percent.",
    )
    table.add_column("Variant\n  Benchmark", overflow="fold")
    for header in ("k", "Short\nwords", "Short\nscore", "Long\nwords", "Long\nscore", "Ratio", "Cen-\nsored"):
        table.add_column(header, justify="right", overflow="fold")
    for row in _under_variants(table, rows):
        short, long = row["short"], row["long"]
        table.add_row(
            _indented(row["benchmark"]),
            *(str(row["k"]), words(short["words"]), _end(row, "short"), words(long["words"]), _end(row, "long")),
            UNKNOWN if row["ratio"] is None else f"{row['ratio']:.2f}",
            censored(row).replace(" of ", "/"),
        )
    return table


def collapse_table(cells: Sequence[Row]) -> Table:
    """What `collapse_cells` gives: how often outputs ended in a loop, where and at what cost, variant by variant."""
    table = plain_table(
        "Repetition collapse",
        "Onset and period: medians in words. Saved: what the limits left to the stopped ones. Lost: of the collapsed that were "
        "let run on, those that earned credit in the end, with the 95 % interval of their share. Corrected: the score in "
        "percent with the stopped ones credited at that share; in the scores they count as wrong.",
    )
    table.add_column("Variant\n  Benchmark", overflow="fold")
    for header in ("Collapsed", "Onset", "Period", "Saved\ntokens", "Lost", "Corrected"):
        table.add_column(header, justify="right", overflow="fold")
    for cell in _under_variants(table, cells):
        table.add_row(
            _indented(cell["benchmark"]),
            Text.assemble(f"{cell['collapsed']} of {cell['n']}", (f"\n{cell['share']:.1f} %", "dim")),
            *(words(cell[name]) for name in ("onset_words", "period_words", "tokens_saved")),
            _lost(cell),
            _number(cell["corrected"], _ends(cell, "corrected"), None),
        )
    return table


def _lost(cell: Row) -> Text:
    if not cell["audited"]:
        return Text("none audited" if cell["stopped"] else UNKNOWN)
    low, high = _ends(cell, "lost_share") or (0.0, 0.0)
    return Text.assemble(f"{cell['lost']} of {cell['audited']}", (f"\n{low:.0f}-{high:.0f} %", "dim"))


def _ends(cell: Row, name: str) -> tuple[float, float] | None:
    return None if cell[name] is None else (cell[f"{name}_low"], cell[f"{name}_high"])


def _under_variants(table: Table, rows: Sequence[Row]) -> Iterator[Row]:
    """Each row, after a line with its variant wherever that changes."""
    before = None
    for row in rows:
        if row["label"] != before:
            before = row["label"]
            table.add_section()
            table.add_row(Text(printable(row["label"])))
        yield row


def _indented(benchmark: str) -> Text:
    return Text("  " + printable(benchmark))


def _header(benchmark: str, rows: Iterable[Row]) -> Text:
    two = any("f1" in row["benchmarks"].get(benchmark, {}) for row in rows)
    return Text(printable(benchmark.removeprefix(_MINI_SUITE)) + ("\nEM / F1" if two else ""))


def _variant(row: Row) -> Text:
    facts = [] if row["origin"] == "measured" else [row["origin"]]
    if row["bits_per_weight"] is not None:
        facts.append(f"{row['bits_per_weight']:.2f} bits")
    if row["sparsity"] is not None and row["sparsity"] >= 1:
        facts.append(f"{row['sparsity']:.0f} % zeros")
    return Text("\n").join([Text(printable(row["label"])), *(Text(fact, style="dim") for fact in facts)])


def _main(cell: Row | None) -> float | None:
    """The score that decides which is best."""
    value: float | None = cell.get("accuracy", cell.get("f1")) if cell else None
    return value


def _best(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _score(cell: Row | None, best: float | None) -> Text:
    if cell is None:
        return Text(UNKNOWN)
    narrow = re.sub(r", (?=unfinished|within|beyond)|: ", "\n", "\n".join(counts(cell)))
    below = Text("\n").append(narrow, "dim")
    if "accuracy" in cell:
        return _number(cell["accuracy"], cell["accuracy_ci"], best) + below
    em = _number(cell["em"], cell["em_ci"], None)
    f1 = _number(cell["f1"], cell["f1_ci"], best, f1_digits(cell))
    lines = [Text(" / ").join(pair) for pair in zip_longest(em.split("\n"), f1.split("\n"), fillvalue=Text(UNKNOWN))]
    return Text("\n").join(lines) + below


def _number(value: float | None, interval: Sequence[float] | None, best: float | None, digits: int = 1) -> Text:
    if value is None:
        return Text(UNKNOWN)
    bold = best is not None and best - value < _ROUNDING
    below = f"\n{interval[0]:.0f}-{interval[1]:.0f}" if interval else ""
    return Text.assemble((f"{value:.{digits}f}", "bold" if bold else ""), (below, "dim"))


def _averaged(benchmarks: Sequence[str]) -> Sequence[str]:
    mini = any(name.startswith(_MINI_SUITE) for name in benchmarks)
    return [name.removeprefix(_MINI_SUITE) for name in AVERAGES[mini]]


def _averaged_here(row: Row, benchmarks: Sequence[str]) -> bool:
    return row["average"] is not None and set(row["average_of"]) <= {*benchmarks, *AVERAGES[0]}


def _end(row: Row, end: str) -> Text:
    printed = [("\n" + re.sub(r", |: ", "\n", note), "dim") for note in printed_at(row, end)]
    return Text.assemble(_scores(row[end]), *printed)


def _scores(end: Row) -> str:
    labels = {"accuracy": "", "em": "EM ", "f1": "F1 "}
    shown = {name: UNKNOWN if end[name] is None else f"{end[name]:.1f}" for name in labels if name in end}
    return "\n".join(labels[name] + value for name, value in shown.items())
