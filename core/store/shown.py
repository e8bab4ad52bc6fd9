"""The words in which screens and commands show the columns of a response."""

from __future__ import annotations

import json
from typing import Any, Protocol


class Row(Protocol):
    """A row of SQLite, or a dictionary."""

    def __getitem__(self, name: str, /) -> Any:  # noqa: ANN401 - whatever a column holds
        """The value of a column."""


def gold(stored: str) -> str:
    """Gold answers, stored as a JSON list."""
    answers = json.loads(stored)
    return " | ".join(str(answer) for answer in answers) if isinstance(answers, list) else str(answers)


def verdict(row: Row) -> str:
    """Such as `correct`, `wrong`, `F1 40 %`, `unparsed`; by hand where it was judged so, and flagged where it is."""
    by_hand = "correct by hand" if row["hand"] else "wrong by hand"
    text = by_hand if row["hand"] is not None else graded(row)
    return f"{text}, flagged" if row["flagged"] else text


def graded(row: Row) -> str:
    """The grader's verdict alone."""
    if row["parsed"] is None:
        return "unparsed"
    if row["correct"] is None and row["f1"] is not None and row["em"] != 1:
        return f"F1 {100 * row['f1']:.0f} %"
    return "correct" if (row["correct"] if row["correct"] is not None else row["em"]) else "wrong"
