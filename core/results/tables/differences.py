"""How far one's own scores are from printed ones, and whether that is within noise.

Both were drawn: a printed score from its passes over the questions, one's own from its samples of them. Where both asked the
same questions, each response is a draw of its own, since which questions were asked no longer varies; else the questions are
the draws, however often each was asked. A score of so many draws varies at most like a share of so many trials: that is exact
for one question asked anew, too wide where questions differ, and too wide for F1, whose values lie between 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.results.rows import (
    ENDS,
    SCORE_NAMES,
    Difference,
    Differences,
    LengthEnd,
    LengthRow,
    PublishedCell,
    PublishedEnds,
    ScoreCell,
    ScoreRow,
)
from core.results.stats import Interval, Z
from core.results.tables.printed import Edition
from core.results.tables.published import FIRST, Q_OF_TABLE, plain, published_lengths, questions_of, reference


@dataclass(frozen=True, slots=True)
class Asked:
    """How many different questions were asked, and how many responses there are to them."""

    questions: int
    responses: int

    def draws(self, other: Asked) -> int:
        """What the noise of a score beside `other` is of: the responses where both asked the same questions."""
        return self.responses if self.questions == other.questions else self.questions


def noise(own: tuple[float, float], printed: tuple[float, float]) -> Interval:
    """The 95 % interval of an own score less a printed one, each as (score from 0 to 1, draws above 0); -1 to 1.

    Newcombe's hybrid interval with continuity correction (1998, method 11). Of two samples of the same rate at most 5 % are
    told apart by it, whatever the rate and however few draws; without the correction up to 7 % are.
    """
    (p, m), (q, n) = own, printed
    first, second = _corrected_wilson(p, m), _corrected_wilson(q, n)
    return (
        max(-1.0, p - q - math.hypot(p - first[0], second[1] - q)),
        min(1.0, p - q + math.hypot(first[1] - p, q - second[0])),
    )


def _corrected_wilson(share: float, n: float) -> Interval:
    """Wilson's interval with continuity correction for a share of n trials; both run from 0 to 1."""
    upper = _corrected_end(share, n)
    return min(share, max(0.0, 1.0 - _corrected_end(1.0 - share, n))), max(share, min(1.0, upper))


def _corrected_end(share: float, n: float) -> float:
    """The upper end of the interval, before it is held within 0 and 1."""
    under = Z * Z + 2 - 1 / n + 4 * share * (n * (1 - share) - 1)
    return (2 * n * share + Z * Z + 1 + Z * math.sqrt(max(0.0, under))) / (2 * (n + Z * Z))


def with_differences(rows: Sequence[ScoreRow], edition: Edition = FIRST) -> list[ScoreRow]:
    """One's own rows, each cell of which the edition (or the study) has for the same model and compression with `published`.

    That is {origin, table, edition, accuracy | em, f1: {printed, difference, difference_ci, within_noise}}: own less printed,
    in percentage points.
    """
    return [{**row, "benchmarks": {n: _compared(row, n, c, edition) for n, c in row["benchmarks"].items()}} for row in rows]


def _compared(row: ScoreRow, name: str, cell: ScoreCell, edition: Edition) -> ScoreCell:
    printed, finished = reference(row, name, edition), cell["finished"]
    if printed is None or not finished:
        return cell
    about, theirs = printed
    asked = questions_of(theirs["n"], about["edition"], about["passes"])
    own, other = Asked(finished, cell.get("responses", finished)), _printed_asked(asked, about["passes"])
    published: PublishedCell = {"origin": about["origin"], "table": about["table"], "edition": about["edition"]}
    for score in SCORE_NAMES:
        mine, value = cell.get(score), theirs.get(score)
        if mine is not None and value is not None:
            published[score] = _difference((mine, own.draws(other)), (value, other.draws(own)))
    return {**cell, "published": published}


def _printed_asked(questions: int, passes: int) -> Asked:
    return Asked(questions, questions * passes)


def lengths_with_differences(rows: Sequence[LengthRow], edition: Edition = FIRST) -> list[LengthRow]:
    """Rows of `lengths_rows`, each that was printed for the same variant, benchmark and q with `published`.

    That is {origin, table, edition, short: {accuracy | em, f1: {printed, difference, difference_ci, within_noise}},
    long: {...}}.
    """
    printed = {
        (*plain(row), row["benchmark"], row["q"]): row for q in Q_OF_TABLE.values() for row in published_lengths(q, edition)
    }
    return [_at_ends(row, printed.get((*plain(row), row["benchmark"], row["q"]))) for row in rows]


def _at_ends(row: LengthRow, printed: LengthRow | None) -> LengthRow:
    if printed is None:
        return row
    own, other = Asked(row["questions"], row["n"]), _printed_asked(printed["questions"], printed["passes"])
    draws = row["k"] * own.draws(other) / row["n"], printed["k"] * other.draws(own) / printed["n"]
    short, long = (_end_differences(row[end], printed[end], draws) for end in ENDS)
    published: PublishedEnds = {
        "origin": printed["origin"],
        "table": printed["table"],
        "edition": printed["edition"],
        "short": short,
        "long": long,
    }
    return {**row, "published": published}


def _end_differences(own: LengthEnd, printed: LengthEnd, draws: tuple[float, float]) -> Differences:
    differences: Differences = {}
    for score in SCORE_NAMES:
        mine, theirs = own.get(score), printed.get(score)
        if mine is not None and theirs is not None:
            differences[score] = _difference((mine, draws[0]), (theirs, draws[1]))
    return differences


def _difference(own: tuple[float, float], printed: tuple[float, float]) -> Difference:
    """Of two scores in percent, each with its draws."""
    low, high = (100 * end for end in noise((own[0] / 100, own[1]), (printed[0] / 100, printed[1])))
    return {
        "printed": printed[0],
        "difference": own[0] - printed[0],
        "difference_ci": [low, high],
        "within_noise": low <= 0 <= high,
    }
