"""The table of repetition collapse, which the Lengths pane shows in turn with its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from tui.shown import lines, number, right, safe
from tui.widgets.table import Cells, Column

TITLE = "Collapse: medians in words, tokens saved by stopping, answers that it lost."
COLUMNS = (
    Column("variant", "Variant", 19, grow=True),
    Column("benchmark", "Benchmark", 17),
    Column("collapsed", "Loops", 7, number=True),
    Column("share", "%", 5, number=True),
    Column("onset", "Onset", 6, drop=2, number=True),
    Column("period", "Period", 6, drop=3, number=True),
    Column("saved", "Saved", 8, number=True),
    Column("lost", "Lost", 6, drop=1, number=True),
)


def cells(record: Mapping[str, Any]) -> Cells:
    """One variant on one benchmark."""
    lost = f"{record['lost']}/{record['audited']}" if record["audited"] else ""
    return {
        "variant": safe(record["label"]),
        "benchmark": safe(record["benchmark"]),
        "collapsed": right(f"{record['collapsed']}/{record['n']}"),
        "share": right(number(record["share"]), "bold red" if record["collapsed"] else ""),
        "onset": right(number(record["onset_words"], 0)),
        "period": right(number(record["period_words"], 0)),
        "saved": right(f"{record['tokens_saved']:,}"),
        "lost": right(lost),
    }


def about(record: Mapping[str, Any]) -> Text:
    """What stands behind one line."""
    name = f"{record['label']} on {record['benchmark']} · {record['collapsed']} of {record['n']} collapsed"
    if not record["audited"]:
        audit = f" · {record['stopped']} stopped, none audited" if record["stopped"] else ""
        return lines(name + audit)
    ends = f"{number(record['lost_share_low'], 0)} to {number(record['lost_share_high'], 0)} %"
    corrected = f"{number(record['corrected_low'])} to {number(record['corrected_high'])}"
    return lines(
        f"{name} · {record['stopped']} stopped · of {record['audited']} let run on {record['lost']} earned credit ({ends}) · "
        f"score corrected for that {number(record['corrected'])} ({corrected})"
    )
