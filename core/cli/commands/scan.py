"""scan: the repetition detector over outputs that exist already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.cli.call import Call
from core.cli.grammar import ELSEWHERE, argument, command, files, printing
from core.engines.host.wire import Sampling
from core.errors import UsageError

if TYPE_CHECKING:
    from core.collapse import Verdict
    from core.importing.outputs import Output
    from core.results.show.sheets import Cell

COLLAPSED = 3
"""The exit code where at least one output has collapsed."""
SHOWN_UNIT = 50
HEADS = ("Output\n  Unit of the loop", "Verdict", "Characters", "Seen at", "Onset", "Period", "Rounds")
DETAILS = "Exit code 0: no output has collapsed; 3: at least one has; 1: the outputs could not be read; 2: usage."
SOURCE = "JSONL rows {id, output} (.gz too, - for standard input), a text file, a folder of text files, or a run's number"
LIMIT = Sampling().max_tokens
LIMIT_HELP = f"the limit under which the outputs were made (default {LIMIT}); a run knows its own"


@command(ELSEWHERE, "lrm-tui scan outputs.jsonl", order=2, details=DETAILS)
@printing
@argument("source", "FILE|DIR|RUN", SOURCE, values=files)
@click.option("--max-tokens", type=int, default=LIMIT, metavar="N", help=LIMIT_HELP)
def scan(call: Call, source: str, max_tokens: int) -> int:
    """Look for repetition collapse in outputs that exist already."""
    if max_tokens < 1:
        raise UsageError(f"A limit of {max_tokens} tokens makes no output.", "Give 1 or more.")
    verdicts = _verdicts(_outputs(call, source), max_tokens)
    return _print_lines(verdicts) if call.json else _print_table(verdicts)


def _outputs(call: Call, source: str) -> Iterator[Output]:
    """The outputs of a source. Raises DataError where there is no such source, UsageError where there is no such run."""
    from core.importing.outputs import from_path, from_run

    path = Path(source)
    if source == "-" or path.exists():
        yield from from_path(path)
    elif source.isdecimal():
        with call.reading() as connection:
            yield from from_run(connection, int(source))
    else:
        raise UsageError(f"{path} does not exist.", "Name a file, a folder, or the number of a run.")


def _verdicts(outputs: Iterable[Output], limit: int) -> Iterator[tuple[Output, Verdict]]:
    from core.collapse import Detector

    for output in outputs:
        detector = Detector(output.limit or limit)
        detector.feed(output.text)
        detector.finish()
        yield output, detector.verdict


def _print_lines(verdicts: Iterable[tuple[Output, Verdict]]) -> int:
    """A line of JSON on each output as soon as it is known. Returns the exit code."""
    from core.text import json_text

    collapsed = False
    for output, verdict in verdicts:
        collapsed |= verdict.state == "collapsed"
        places = {name: getattr(verdict, name) for name in ("position", "onset", "period", "unit")}
        print(json_text({"id": output.id, "verdict": verdict.state, **places}), flush=True)
    return COLLAPSED * collapsed


def _print_table(verdicts: Iterable[tuple[Output, Verdict]]) -> int:
    """A table of the outputs that repeat themselves, and how many there are. Returns the exit code."""
    from core.cli.output import print_sheets
    from core.cli.progress import Bar
    from core.results.show.sheets import Sheet

    rows: list[tuple[Cell, ...]] = []
    counts = {"healthy": 0, "suspicious": 0, "collapsed": 0}
    with Bar() as bar:
        bar.update("Reading …")
        for output, verdict in verdicts:
            counts[verdict.state] += 1
            bar.update(f"{sum(counts.values()):,} outputs read, {counts['collapsed']} collapsed")
            if verdict.state != "healthy":
                rows.append(_cells(output, verdict))
    if rows:
        print_sheets([Sheet("scan", "", "", HEADS, tuple(rows), texts=2)])
    print(", ".join(f"{count:,} {state}" for state, count in counts.items()) + f" of {sum(counts.values()):,} outputs.")
    return COLLAPSED * (counts["collapsed"] > 0)


def _cells(output: Output, verdict: Verdict) -> tuple[Cell, ...]:
    from core.results.show.sheets import Cell

    unit = (verdict.unit or "")[:SHOWN_UNIT] + "…" * (len(verdict.unit or "") > SHOWN_UNIT)
    numbers = (len(output.text), verdict.position, verdict.onset, verdict.period, verdict.count)
    return (
        Cell(output.id, (f"  {unit}",) if unit else ()),
        Cell(verdict.state, strong=verdict.state == "collapsed"),
        *(Cell("" if number is None else f"{number:,}") for number in numbers),
    )
