"""findings and recommend: what one's own runs say, and which variant to take."""

from __future__ import annotations

from argparse import Namespace

from core.cli.common import tables
from core.cli.output import plotted, show
from core.results.show.plots import front
from core.results.show.sheets_findings import findings_sheets, front_sheet
from core.results.show.writers import rich_table
from core.results.tables.findings import findings as found_in
from core.results.tables.recommend import memory_of
from core.results.tables.recommend import recommend as recommended


def findings(given: Namespace) -> int:
    """Print the claims with their verdicts, and the ranking of methods."""
    found = found_in(tables(given))
    rows = [{"part": part, **row} for part in ("claims", "ranking") for row in found[part]]
    show(given, found, rows, lambda: findings_sheets(found))
    return 0


def recommend(given: Namespace) -> int:
    """Print the front of score over size, and which variant to take for the memory that there is."""
    found = recommended(tables(given), memory_of(given.memory), given.knowledge)
    drawn = plotted(given, lambda: [front(found["front"])], lambda: [rich_table(front_sheet(found))])
    show(given, found, found["front"], lambda: [front_sheet(found)], drawn, " ".join(found["reasons"]))
    return 0
