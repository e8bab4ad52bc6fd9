"""scores, lengths and collapse: the tables of one's own runs."""

from __future__ import annotations

from argparse import Namespace

from core.analysis.lengths import lengths_rows
from core.analysis.loops import collapse_cells
from core.analysis.render import collapse_table, lengths_table, scores_table
from core.analysis.scores import scores_rows
from core.cli.common import console, print_json, reading
from core.errors import UsageError


def scores(given: Namespace) -> int:
    """Print the score table."""
    rows = scores_rows(reading(given))
    if given.json:
        print_json(rows)
    else:
        console().print(scores_table(rows) if rows else "No responses yet.")
    return 0


def lengths(given: Namespace) -> int:
    """Print the scores of the shortest and of the longest q percent."""
    if not 0 < given.q <= 50:
        raise UsageError(f"--q {given.q} is out of range.", "Give more than 0 and at most 50 percent.")
    rows = lengths_rows(reading(given), given.q)
    if given.json:
        print_json(rows)
    else:
        console().print(lengths_table(rows) if rows else "No finished runs with enough responses yet.")
    return 0


def collapse(given: Namespace) -> int:
    """Print how often outputs collapsed, where, and what stopping them saved and lost."""
    cells = collapse_cells(reading(given))
    if given.json:
        print_json({"cells": cells})
    else:
        console().print(collapse_table(cells) if cells else "No responses yet.")
    return 0
