"""recommend: the front of score over size, and which variant to take for the memory that there is."""

from __future__ import annotations

import click

from core.cli.call import Call
from core.cli.grammar import RESULTS, command, tabular


@command(RESULTS, "lrm-tui recommend --memory 24GB", order=10)
@tabular
@click.option("--memory", required=True, metavar="MEMORY", help="such as 24GB or 80GiB")
@click.option("--plot", is_flag=True, help="plot the average over the size in the terminal")
@click.option("--knowledge", is_flag=True, help="what a model knows matters too (MuSiQue)")
def recommend(call: Call, memory: str, plot: bool, knowledge: bool) -> int:
    """Which variant for a memory budget, and why."""
    from core.cli.output import plotted, show, tables
    from core.results.show.plots import front
    from core.results.show.sheets_findings import front_sheet
    from core.results.tables.recommend import memory_of
    from core.results.tables.recommend import recommend as recommended

    with tables(call) as connection:
        advice = recommended(connection, memory_of(memory), knowledge)
    drawn = plotted(lambda: [front(advice["front"])]) if plot else None
    show(call, advice, advice["front"], lambda: [front_sheet(advice)], drawn=drawn, empty=" ".join(advice["reasons"]))
    return 0
