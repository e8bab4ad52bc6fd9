"""The mark of a response in lists: right, wrong, not parsed."""

from __future__ import annotations

from rich.text import Text

from core.store.shown import Row
from tui.shown import safe


def mark(row: Row) -> Text:
    """✓ right, ✗ wrong, ? not parsed, or F1 in percent; h: judged by hand, !: flagged."""
    if row["hand"] is not None:
        shown = safe("✓h" if row["hand"] else "✗h", "bold green" if row["hand"] else "bold red")
    elif row["parsed"] is None:
        shown = safe("?", "yellow")
    elif row["correct"] is None and row["f1"] is not None and row["em"] != 1:
        shown = safe(f"{100 * row['f1']:.0f}", "yellow")
    else:
        good = row["correct"] if row["correct"] is not None else row["em"]
        shown = safe("✓" if good else "✗", "green" if good else "red")
    return shown.append("!", "bold yellow") if row["flagged"] else shown
