"""scan: the repetition detector over outputs that exist already."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.table import Table
from rich.text import Text

from core.cli.common import console, reading
from core.collapse import Detector, Verdict
from core.errors import DataError, UsageError
from core.importing.outputs import Output, from_path, from_run
from core.text import json_text, printable

COLLAPSED = 3
"""The exit code where at least one output has collapsed."""

SHOWN_UNIT = 50


def scan(given: Namespace) -> int:
    """Print a verdict on each output: a line of JSON as soon as it is known, or a table of those that repeat themselves."""
    if given.max_tokens < 1:
        raise UsageError(f"A limit of {given.max_tokens} tokens makes no output.", "Give 1 or more.")
    verdicts = _verdicts(_outputs(given), given.max_tokens)
    return _print_lines(verdicts) if given.json else _print_table(verdicts)


def _outputs(given: Namespace) -> Iterator[Output]:
    path = Path(given.source)
    if given.source == "-" or path.exists():
        return from_path(path)
    if given.source.isdecimal():
        return from_run(reading(given), int(given.source))
    raise DataError(f"{path} does not exist.", "Name a file, a folder, or the number of a run.")


def _verdicts(outputs: Iterable[Output], limit: int) -> Iterator[tuple[Output, Verdict]]:
    for output in outputs:
        detector = Detector(output.limit or limit)
        detector.feed(output.text)
        detector.finish()
        yield output, detector.verdict


def _print_lines(verdicts: Iterable[tuple[Output, Verdict]]) -> int:
    found = False
    for output, verdict in verdicts:
        found |= verdict.state == "collapsed"
        places = {name: getattr(verdict, name) for name in ("position", "onset", "period", "unit")}
        print(json_text({"id": output.id, "verdict": verdict.state, **places}), flush=True)
    return COLLAPSED * found


def _print_table(verdicts: Iterable[tuple[Output, Verdict]]) -> int:
    table = Table(box=None, pad_edge=False)
    table.add_column("Output\n  Unit of the loop", overflow="fold")
    table.add_column("Verdict")
    for heading in ("Characters", "Seen at", "Onset", "Period", "Rounds"):
        table.add_column(heading, justify="right")
    counts = {"healthy": 0, "suspicious": 0, "collapsed": 0}
    out = console()
    with out.status("Reading …") as status:
        for output, verdict in verdicts:
            counts[verdict.state] += 1
            status.update(Text(f"{sum(counts.values()):,} outputs read, {counts['collapsed']} collapsed"))
            if verdict.state != "healthy":
                table.add_row(*_cells(output, verdict))
    if table.rows:
        out.print(table)
    out.print(", ".join(f"{count:,} {state}" for state, count in counts.items()) + f" of {sum(counts.values()):,} outputs.")
    return COLLAPSED * (counts["collapsed"] > 0)


def _cells(output: Output, verdict: Verdict) -> Iterator[Text]:
    unit = printable((verdict.unit or "")[:SHOWN_UNIT]) + "…" * (len(verdict.unit or "") > SHOWN_UNIT)
    numbers = (len(output.text), verdict.position, verdict.onset, verdict.period, verdict.count)
    yield Text.assemble(printable(output.id), (f"\n  {unit}" if unit else "", "dim"))
    yield Text(verdict.state, "bold red" if verdict.state == "collapsed" else "yellow")
    for number in numbers:
        yield Text("" if number is None else f"{number:,}")
