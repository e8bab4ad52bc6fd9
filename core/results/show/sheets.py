"""The tables as plain sheets, which `core.results.show.writers` turns into Markdown, LaTeX, HTML or a terminal's table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.registry import find, get, names
from core.results.rows import (
    SCORE_NAMES,
    CollapseCell,
    DecileRow,
    Differences,
    End,
    LengthEnd,
    LengthRow,
    ScoreCell,
    ScoreName,
    ScoreRow,
)
from core.results.tables.scores import AVERAGES
from core.spec import REFERENCES

T = TypeVar("T")

UNKNOWN = "–"
_AFTER: dict[ScoreName, str] = {"accuracy": "", "em": " EM", "f1": " F1"}
ROUNDING = 0.05
_ENDINGS = {
    "cut": ("cut_in_thinking", "cut_in_answer"),
    "loop": ("loop",),
    "unclosed": ("ended_in_thinking",),
    "refused": ("refused",),
    "empty": ("empty",),
    "malformed": ("malformed",),
}
"""What sheets call the endings without an answer."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A text, more lines of it, and notes, which stand small below. A terminal alone shows `lines`."""

    text: str
    notes: tuple[str, ...] = ()
    strong: bool = False
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: `breaks` are the rows before which a rule is drawn.

    `texts`: how many leading columns hold text; `more_texts`: the places of others that do.
    """

    name: str
    title: str
    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    texts: int = 1
    breaks: tuple[int, ...] = ()
    more_texts: tuple[int, ...] = ()

    def is_text(self, column: int) -> bool:
        """Whether a column holds text, which stands to the left."""
        return column < self.texts or column in self.more_texts


def number(value: float | None, digits: int = 1) -> str:
    """Fixed digits with thousands apart, or a dash."""
    return UNKNOWN if value is None else f"{value:,.{digits}f}"


def words(value: float | None) -> str:
    """A number of words or tokens in whole ones; a loop of a few characters has a period of less than one."""
    return "<1" if value is not None and 0 < value < 0.5 else number(value, 0)


def interval(ends: Sequence[float] | None, digits: int = 0) -> tuple[str, ...]:
    """A 95 % interval as a note, where there is one."""
    return (f"{ends[0]:.{digits}f} to {ends[1]:.{digits}f}",) if ends else ()


def scores_sheets(rows: Sequence[ScoreRow], with_runs: bool = False) -> list[Sheet]:
    """What `scores_rows` gives, a sheet a suite, grouped by family; the best score of one's own rows in bold.

    `with_runs` names the run behind each score.
    """
    present = [name for name in names() if any(name in row["benchmarks"] for row in rows)]
    suites = {
        "scores": ("Scores on the paper's benchmarks", [name for name in present if get(name).suite != "pocket"]),
        "scores-mini": ("Scores on the mini-suite", [name for name in present if get(name).suite == "pocket"]),
    }
    sheets = []
    for key, (title, benchmarks) in suites.items():
        shown = [row for row in rows if belongs(row, benchmarks)]
        if shown:
            sheets.append(_suite(key, title, benchmarks, shown, with_runs))
    return sheets


def belongs(row: ScoreRow, benchmarks: Sequence[str]) -> bool:
    """Whether a row has something to say in the table of these benchmarks; the paper printed one average alone."""
    return any(name in row["benchmarks"] for name in benchmarks) or (not row["benchmarks"] and "aime" in benchmarks)


def _suite(name: str, title: str, benchmarks: Sequence[str], rows: Sequence[ScoreRow], with_runs: bool) -> Sheet:
    own = [row for row in rows if row["origin"] not in REFERENCES]
    averages = {id(row): average_in(row, benchmarks) for row in rows}
    best_average = best_of(averages[id(row)] for row in own)
    bests = {b: best_of(deciding(row["benchmarks"].get(b)) for row in own) for b in benchmarks}
    body = []
    for row in rows:
        mine = row["origin"] not in REFERENCES
        cells = [_score(row["benchmarks"].get(b), bests[b] if mine else None, with_runs) for b in benchmarks]
        average = averages[id(row)]
        strong = mine and average is not None and best_average is not None and best_average - average < ROUNDING
        last = Cell(number(average), interval(row["average_ci"]) if average is not None else (), strong)
        body.append((*_about(row), *cells, last))
    heads = ("Model", "Compression", "Origin", "Parameters", "Bits", "Sparsity", *map(_head, benchmarks), "Average")
    mini = bool(benchmarks) and get(benchmarks[0]).suite == "pocket"
    caption = (
        "Percent; EM / F1 where two numbers stand. Small: the 95 % interval over questions, "
        "n questions (finished of planned where some are missing), those without an answer that could be read, and those that "
        f"failed. Average of {', '.join(AVERAGES[mini])}. Bold: the best of one's own."
    )
    return Sheet(name, title, caption, heads, tuple(body), texts=3, breaks=changes(rows, lambda row: row["family"]))


def _about(row: ScoreRow) -> tuple[Cell, ...]:
    notes = () if row["label"] == row["variant"] else (row["label"].removeprefix(row["variant"]).strip(" ()"),)
    source = (f"Table {row['table']}, {row['edition']}",) if row["origin"] == "published" else notes
    odd = (text,) if (text := row.get("note")) else ()
    return (
        Cell(row["model"], (*source, *odd)),
        Cell(row["compression"]),
        Cell(row["origin"]),
        Cell(parameters(row["parameters"])),
        Cell(number(row["bits_per_weight"], 2)),
        Cell(UNKNOWN if not row["sparsity"] else f"{row['sparsity']:.0f} %"),
    )


def parameters(value: int | None) -> str:
    """A count as `70 B`, `1.2 M` or a dash."""
    if value is None:
        return UNKNOWN
    unit = next((u for u in (("B", 1e9), ("M", 1e6), ("k", 1e3)) if value >= u[1]), ("", 1.0))
    return f"{value / unit[1]:.3g} {unit[0]}".strip()


def _score(cell: ScoreCell | None, best: float | None, with_run: bool) -> Cell:
    if cell is None:
        return Cell(UNKNOWN)
    value = deciding(cell)
    strong = best is not None and value is not None and best - value < ROUNDING
    below = counts(cell) + ((f"run {cell['run']}",) if with_run and cell["run"] is not None else ())
    if "accuracy" in cell:
        return Cell(number(cell["accuracy"]), interval(cell["accuracy_ci"]) + below, strong)
    both = [f"{low[0]} / {high[0]}" for low, high in [(interval(cell["em_ci"]), interval(cell["f1_ci"]))] if low and high]
    return Cell(f"{number(cell['em'])} / {number(cell['f1'], f1_digits(cell))}", (*both, *below), strong)


def f1_digits(cell: ScoreCell) -> int:
    """The paper prints F1 with two digits after the point; one's own has as many as other scores."""
    return 2 if cell["finished"] is None else 1


def counts(cell: ScoreCell) -> tuple[str, ...]:
    """How many responses stand behind a score, and which of them are not what they should be."""
    if cell["finished"] is None:
        return (f"n {cell['n']}",)
    whole = cell["finished"] == cell["n"]
    samples, responses, planned = cell.get("samples", 1), cell.get("responses"), cell.get("planned")
    notes = [f"n {cell['n']}" if whole else f"{cell['finished']} of {cell['n']}, unfinished"]
    notes += [f"{samples} samples each"] if samples > 1 else []
    notes += [f"{responses} of {planned} responses"] if whole and responses != planned else []
    notes += [f"{count} {name}" for name, count in (("unparsed", cell["unparsed"]), ("failed", cell["failed"])) if count]
    notes += _endings(cell)
    if cell.get("stopped"):
        ends = "".join(f" ({part})" for part in interval(cell["corrected_ci"]))
        notes += [f"{cell['stopped']} stopped", f"corrected {number(cell['corrected'])}{ends}"]
    if "by_hand" in cell:
        notes += [f"{cell['by_hand']} judged by hand"]
    if "pass_at_k" in cell:
        notes += [f"pass@{samples} {number(cell['pass_at_k'])}", f"majority {number(cell['majority'])}"]
    published = cell.get("published")
    return (*notes, *(_published(published["origin"], published) if published else ()))


def _endings(cell: ScoreCell) -> list[str]:
    """How many outputs did not end with an answer, and what the score is without those that were cut."""
    endings = cell.get("endings") or {}
    shown = [f"{count} {name}" for name, part in _ENDINGS.items() if (count := sum(endings.get(one, 0) for one in part))]
    notes = [", ".join(shown)] if shown else []
    if cell.get("share_cut"):
        ends = "".join(f" ({part})" for part in interval(cell["ended_ci"]))
        notes += [f"ended {number(cell['ended_score'])}{ends}", f"at most {number(cell['bound'])}"]
    if cell.get("lenient") is not None:
        notes += [f"lenient {number(cell['lenient'])}"]
    if cell.get("effective_limit"):
        notes += [f"cut at {cell['effective_limit']:,} tokens"]
    return notes


def _published(origin: str, scores: Differences) -> tuple[str, ...]:
    notes = []
    for metric in SCORE_NAMES:
        if metric in scores:
            one = scores[metric]
            noise = {True: ", within noise", False: ", beyond noise", None: ""}[one["within_noise"]]
            theirs = f"{REFERENCES[origin]}{_AFTER[metric]} {number(one['printed'], 1 + (metric == 'f1'))}"
            notes.append(f"{theirs}: {one['difference']:+.1f}{noise}")
    return tuple(notes)


def printed_at(row: LengthRow, end: End) -> tuple[str, ...]:
    """What was printed for an end of a row of lengths, where it was."""
    published = row.get("published")
    return _published(published["origin"], published[end]) if published else ()


def censored(row: LengthRow) -> str:
    """How many lengths are censored, of how many."""
    return UNKNOWN if row["censored"] is None else f"{row['censored']} of {row['n']}"


def deciding(cell: ScoreCell | None) -> float | None:
    """The score that decides which variant is best: accuracy, else F1."""
    return cell.get("accuracy", cell.get("f1")) if cell else None


def best_of(values: Iterable[float | None]) -> float | None:
    """The largest of the values that are known."""
    return max((value for value in values if value is not None), default=None)


def average_in(row: ScoreRow, benchmarks: Sequence[str]) -> float | None:
    """A row's average, where it is one of these benchmarks (or of the paper's, which may be printed alone)."""
    value, parts = row["average"], row["average_of"]
    return value if value is not None and set(parts or ()) <= {*benchmarks, *AVERAGES[0]} else None


def _head(benchmark: str) -> str:
    known = find(benchmark)
    return known.title if known else benchmark


def changes(rows: Sequence[T], of: Callable[[T], object]) -> tuple[int, ...]:
    """The rows at which something changes."""
    return tuple(at for at in range(1, len(rows)) if of(rows[at]) != of(rows[at - 1]))


def _percents(end: LengthEnd) -> str:
    if "accuracy" in end:
        return number(end["accuracy"])
    return f"{number(end['em'])} / {number(end['f1'])}"


def lengths_sheet(rows: Sequence[LengthRow]) -> Sheet:
    """What `lengths_rows` gives: the shortest and the longest q %, thinking and answer apart."""
    q = f"{rows[0]['q']:g} %" if rows else "q %"
    body = [
        (
            *(Cell(row["label"]), Cell(row["benchmark"]), Cell(str(row["k"]))),
            Cell(number(row["short"]["words"], 0)),
            Cell(_percents(row["short"]), printed_at(row, "short")),
            Cell(number(row["long"]["words"], 0)),
            Cell(_percents(row["long"]), printed_at(row, "long")),
            Cell(number(row["ratio"], 2)),
            Cell(number(row["thinking_words"], 0)),
            Cell(number(row["answer_words"], 0)),
            Cell(censored(row)),
        )
        for row in rows
    ]
    return Sheet(
        f"lengths-{rows[0]['q']:g}" if rows else "lengths",
        f"The shortest and the longest {q}",
        "Words: thinking plus answer, mean; k responses at each end; scores in percent (EM / F1 where there are two). Ratio: "
        "the longest over the shortest. Thinking and Answer: mean words over all. Censored: cut at the limit or stopped for "
        "repetition, ranked at the limit.",
        ("Variant", "Benchmark", "k", "Short words", "score", "Long words", "score", "Ratio", "Thinking", "Answer", "Censored"),
        tuple(body),
        texts=2,
        breaks=changes(rows, lambda row: row["label"]),
    )


def short(words: float | None) -> str:
    """A count in at most five characters."""
    return UNKNOWN if words is None else f"{words:.0f}" if words < 1e4 else f"{words / 1e3:.1f}k"


def deciles_sheet(rows: Sequence[DecileRow]) -> Sheet:
    """What `deciles_rows` gives: score by tenth of length, from the shortest to the longest."""
    body = [
        (
            Cell(row["label"]),
            Cell(row["benchmark"]),
            *(Cell(number(d["score"]), (short(d["words"]),)) for d in row["deciles"]),
        )
        for row in rows
    ]
    return Sheet(
        "deciles",
        "Score by tenth of length",
        "Percent correct (F1 for MuSiQue) of each tenth of the responses, the shortest first; small: its mean words. Responses "
        "that tie count in each tenth with their share.",
        ("Variant", "Benchmark", *(f"{n}." for n in range(1, 11))),
        tuple(body),
        texts=2,
        breaks=changes(rows, lambda row: row["label"]),
    )


def collapse_sheet(cells: Sequence[CollapseCell]) -> Sheet:
    """What `collapse_cells` gives: how often outputs ended in a loop, where and at what cost."""
    body = [
        (
            *(Cell(cell["label"]), Cell(cell["benchmark"]), Cell(f"{cell['collapsed']} of {cell['n']}")),
            Cell(f"{cell['share']:.1f} %"),
            *(Cell(words(cell["onset_words"])), Cell(words(cell["period_words"]))),
            *(Cell(words(cell["words_saved"])), Cell(words(cell["tokens_saved"]))),
            Cell(f"{cell['lost']} of {cell['audited']}", interval(lost_ends(cell))),
            Cell(number(cell["corrected"]), interval(corrected_ends(cell))),
        )
        for cell in cells
    ]
    return Sheet(
        "collapse",
        "Repetition collapse",
        "Onset and period: medians in words. Saved: not generated because loops were stopped; words are estimated. Lost: "
        "of the collapsed that were let run on, those that earned credit in the end, with the 95 % interval of their share. "
        "Corrected: the score in percent with the stopped ones credited at that share.",
        ("Variant", "Benchmark", "Collapsed", "Share", "Onset", "Period", "Saved words", "Saved tokens", "Lost", "Corrected"),
        tuple(body),
        texts=2,
        breaks=changes(cells, lambda cell: cell["label"]),
    )


def lost_ends(cell: CollapseCell) -> tuple[float, float] | None:
    """The interval of the share that stopping would have lost, where some were audited."""
    low, high = cell["lost_share_low"], cell["lost_share_high"]
    return None if low is None or high is None else (low, high)


def corrected_ends(cell: CollapseCell) -> tuple[float, float] | None:
    """The interval of the corrected score, where there is one."""
    low, high = cell["corrected_low"], cell["corrected_high"]
    return None if low is None or high is None else (low, high)
