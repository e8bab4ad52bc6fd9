"""The forecast below the form for new runs: how many, how big, whether they fit into memory, how long."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from rich.text import Text

from core.jobs.estimate import Estimate, estimate
from core.jobs.models import resolve
from core.jobs.prompting import check_template
from core.spec import RunSpec
from core.store.connection import opened
from tui.shown import UNKNOWN, duration, right, safe, size


def estimates(store: Path, specs: Sequence[RunSpec]) -> list[Estimate]:
    """Estimates of the runs, from the past runs of the store where there is one. Raises LrmError."""
    try:
        with opened(store, "reader") as connection:
            return estimate(connection, specs)
    except FileNotFoundError:
        return estimate(None, specs)


def forecast(runs: Sequence[Estimate]) -> Text:
    """A line on all runs, then one for each variant."""
    variants = [list(group) for _, group in groupby(runs, lambda one: (one.model, one.spec.compression, one.spec.engine))]
    asked = sum(one.questions for one in runs)
    shown = safe(f"{_many(len(runs), 'run')} of {_many(len(variants), 'variant')}, {_many(asked, 'question')}", "bold")
    known = [one.seconds for one in runs if one.seconds is not None]
    if len(known) == len(runs):
        shown.append(f" · about {duration(sum(known))}, going by {_many(max(one.past for one in runs), 'past run')}", "bold")
    elif known:
        shown.append(f" · {duration(sum(known))} for the {len(known)} that past runs tell of", "bold")
    else:
        shown.append(" · no past run tells how long", "dim")
    for group in variants:
        shown.append("\n").append_text(_line(group))
    return shown


def thinking(specs: Sequence[RunSpec]) -> Text:
    """A line for each model: where its prompts leave the thinking. Raises UsageError for what its template would ignore."""
    lines: dict[str, None] = {}
    for spec in specs:
        model = resolve(spec.model)
        facts = check_template(model, spec)
        lines[" ".join((f"{model.name}: thinking {facts.state}.", *facts.notes))] = None
    return Text().join(Text("\n").append_text(safe(line, "dim")) for line in lines)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _line(group: Sequence[Estimate]) -> Text:
    """One variant: name, size, whether it fits, time."""
    one = group[0]
    line = safe(f"{one.model} {one.spec.compression}")
    line.truncate(28, overflow="ellipsis", pad=True)
    weights = "no weights" if one.size is None else f"{'' if one.made else 'about '}{size(one.size)}"
    line.append_text(_padded(weights, 14)).append("  ")
    line.append_text(_fit(one))
    seconds = [run.seconds for run in group if run.seconds is not None]
    line.append(f"  {duration(sum(seconds)) if seconds else UNKNOWN}", "dim")
    return line


def _padded(text: str, width: int) -> Text:
    shown = right(text)
    shown.pad_left(max(0, width - shown.cell_len))
    return shown


def _fit(one: Estimate) -> Text:
    if one.slots is None or one.budget is None:
        return safe(f"{'needs no memory here':<22}", "dim")
    if one.slots:
        return safe(f"{f'fits, {one.slots} side by side':<22}", "green")
    return safe(f"{f'does not fit {size(one.budget)}':<22}", "bold red")
