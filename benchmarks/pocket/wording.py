"""The wording of a trace: hesitation and checking, drawn independently of the question, so that length has two causes."""

from __future__ import annotations

import random
from collections.abc import Sequence

TERSE, CHECKED = 0.5, 0.1  # shares of terse traces, and of those whose work is done twice
HESITATION = 0.3  # share of a wordy trace's lines that follow a word of doubt
OPENING = " Okay, let me think."
DOUBTS = (" Hmm.", " Wait.", " So.")
AGAIN = " Wait, let me check again."


def worded(rng: random.Random, work: Sequence[str], end: Sequence[str]) -> str:
    """The lines of the work, then those of its end: briefly, with hesitation, or with the work done again."""
    drawn = rng.random()
    if drawn < TERSE:
        lines = [*work, *end]
    elif drawn < TERSE + CHECKED:
        lines = [*work, AGAIN, *work, *end]
    else:
        lines = [OPENING, *(part for line in work for part in _hesitant(rng, line)), *end]
    return "\n".join(lines) + "\n"


def _hesitant(rng: random.Random, line: str) -> list[str]:
    return [rng.choice(DOUBTS), line] if rng.random() < HESITATION else [line]
