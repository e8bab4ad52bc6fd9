"""How the outputs behind a score ended: counts, the share that was cut, and what the score could have been without cuts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.grading.endings import CUT, ENDINGS
from core.results.questions import by_question
from core.results.stats import Interval, mean_interval

UNKNOWN = -1
"""The number of an ending that was never settled, as in stores of older versions."""
NUMBERS = {name: number for number, name in enumerate(ENDINGS)}
_CUT = [NUMBERS[name] for name in CUT]
_UNCLOSED = NUMBERS["ended_in_thinking"]

FEWEST = 3
LEAST_SHARE = 0.05
WINDOW = 0.03
"""A pile: at least FEWEST cut outputs, and LEAST_SHARE of them, whose lengths lie within WINDOW of the longest of the pile."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Counts, shares and scores by how responses ended; shares and scores run from 0 to 1, None without a finished response.

    `endings`: how many responses ended how, errors among them, without those whose ending was never settled. `cut`: responses
    that did not end by themselves, with `cut_share` over questions; `ended_score` is the score of the others, over questions
    that have some; `bound` the score if every cut one were right; `lenient` the score where the whole text of what ended in its
    thinking counts as its answer, None where nothing did. `effective_limit`: tokens at which outputs were cut short of their
    limit, None where they were not.
    """

    endings: dict[str, int]
    cut: int
    cut_share: float | None
    ended_score: float | None
    ended_ci: Interval | None
    bound: float | None
    lenient: float | None
    effective_limit: int | None


def ended(rows: np.ndarray, errors: int) -> Ended:
    """The endings of finished responses of dtype `ROW`, [responses], and of so many that failed with an error."""
    counts = {name: int((rows["ending"] == number).sum()) for name, number in NUMBERS.items()}
    counts["error"] += errors
    cut = was_cut(rows)
    whole = rows[~cut]
    return Ended(
        endings={name: count for name, count in counts.items() if count},
        cut=int(cut.sum()),
        cut_share=_mean(rows, cut),
        ended_score=_mean(whole, whole["score"]),
        ended_ci=mean_interval(*by_question(whole, whole["score"])) if len(whole) else None,
        bound=_mean(rows, np.where(cut, 1.0, rows["score"])),
        lenient=_mean(rows, rows["lenient"]) if (rows["ending"] == _UNCLOSED).any() else None,
        effective_limit=effective_limit(rows[rows["censored"] & ~rows["stopped"]]),
    )


def was_cut(rows: np.ndarray) -> np.ndarray:
    """Which responses of dtype `ROW`, [responses], did not end by themselves; without an ending the finish reason tells."""
    known = rows["ending"] != UNKNOWN
    cut: np.ndarray = np.where(known, np.isin(rows["ending"], _CUT), rows["censored"])
    return cut


def effective_limit(cut: np.ndarray) -> int | None:
    """The tokens at which cut responses of dtype `ROW`, [responses], pile up below their limit; None where they do not.

    A context that is shorter than the limit, or a server's own limit, does that. Only counted tokens with a known limit tell.
    """
    known = cut[cut["counted"] & (cut["limit"] > 0)]
    tokens = np.sort(known["tokens"][known["tokens"] < (1 - WINDOW) * known["limit"]])
    needed = max(FEWEST, LEAST_SHARE * len(known))
    sizes = np.arange(1, len(tokens) + 1) - np.searchsorted(tokens, (1 - WINDOW) * tokens)
    if not len(sizes) or sizes.max() < needed:
        return None
    return int(tokens[len(sizes) - 1 - np.argmax(sizes[::-1])])


def _mean(rows: np.ndarray, values: np.ndarray) -> float | None:
    """The mean over questions of the means over their samples; None without any."""
    return float(by_question(rows, values)[0].mean()) if len(rows) else None
