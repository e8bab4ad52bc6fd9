"""A sheet as text: a table folded to any terminal, blocks where a table cannot be had, one line a row in a pipe.

Words are never split: neither a name nor an id, nor a head. So a terminal that is too narrow for a table gets, step by step,
less space between columns, names on lines of their own above their numbers, and at last a block a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from core.results.show.sheets import Cell, Sheet
from core.text import printable

PROSE = 48
"""Columns beyond which a text reads as a sentence, which wants READABLE of them."""
READABLE = 32
GAPS = (2, 1)
INDENT = 2
NAMES = 3
"""Leading columns of text that name a row of a block."""
HEADED = ("Variant", "Benchmark")
"""Heads of sheets in which each variant heads the rows of its benchmarks."""


@dataclass(frozen=True, slots=True)
class SheetTable:
    """A sheet that rich prints in the width that there is."""

    sheet: Sheet

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The title, the table or its blocks, and the caption."""
        width, sheet = options.max_width, self.sheet
        if sheet.title:
            yield from _wrapped(Text(printable(sheet.title), "bold"), width, console)
        plan = _plan(sheet, width)
        yield from _blocks(sheet, width, console) if plan is None else plan.lines(console)
        if sheet.caption:
            yield from _wrapped(Text(printable(sheet.caption), "dim italic"), width, console)


def piped(sheet: Sheet) -> str:
    """A sheet for another program: aligned columns, one line a row, notes in brackets, nothing folded."""
    rows = [[" ".join(head.split()) for head in sheet.heads], *([_flat(cell) for cell in row] for row in sheet.rows)]
    widths = [max(cell_len(row[at]) for row in rows) for at in range(len(sheet.heads))]
    lines = ["  ".join(text + " " * (widths[at] - cell_len(text)) for at, text in enumerate(row)).rstrip() for row in rows]
    return "\n".join(line for line in (_flat(Cell(sheet.title)), *lines, _flat(Cell(sheet.caption))) if line) + "\n"


def _flat(cell: Cell) -> str:
    text = " ".join(printable(part) for part in (cell.text, *cell.lines))
    notes = f" ({'; '.join(map(printable, cell.notes))})" if cell.notes else ""
    return " ".join(f"{text}{notes}".split())


@dataclass(frozen=True, slots=True)
class _Plan:
    """A table as it will be drawn: its columns with their widths, and its rows."""

    columns: list[_Column]
    rows: list[_Parts]
    breaks: tuple[int, ...]
    gap: int
    width: int

    def lines(self, console: Console) -> Iterator[Text]:
        total = sum(column.width for column in self.columns) + self.gap * (len(self.columns) - 1)
        yield from self._joined([column.head for column in self.columns], console)
        yield Text("─" * total, "dim")
        before: list[Text] = []
        for number, row in enumerate(self.rows):
            if number in self.breaks:
                yield Text("")
            if row.above != before:
                yield from row.above
                before = row.above
            yield from self._joined(row.cells, console)
            for line in row.below:
                yield from _wrapped(Text(" " * INDENT) + line, self.width, console)

    def _joined(self, cells: Sequence[Sequence[Text]], console: Console) -> Iterator[Text]:
        """The lines of one row, each cell folded to its column."""
        folded = [
            [piece for line in lines for piece in _wrapped(line, column.width, console)]
            for lines, column in zip(cells, self.columns, strict=True)
        ]
        for at in range(max(map(len, folded))):
            line = Text()
            for place, (lines, column) in enumerate(zip(folded, self.columns, strict=True)):
                piece = lines[at] if at < len(lines) else Text()
                space = " " * (column.width - cell_len(piece.plain))
                line.append(" " * self.gap * (place > 0) + ("" if column.text else space))
                line.append_text(piece).append(space if column.text else "")
            line.rstrip()
            yield line


@dataclass(slots=True)
class _Column:
    """A column: its head's lines, whether it holds text, the least width that splits no word, the widest line, its width."""

    head: list[Text]
    text: bool
    least: int
    full: int
    width: int = 0


def _plan(sheet: Sheet, width: int) -> _Plan | None:
    """The first way to draw the sheet as a table that splits no word; None where there is none."""
    headed = sheet.heads[:2] == HEADED
    prose = [at for at in range(1, len(sheet.heads)) if sheet.is_text(at) and _widest(row[at] for row in sheet.rows) > PROSE]
    ways = [(True, prose)] if headed else [(False, []), (False, prose), (True, prose)]
    for spanning, below in ways:
        parts = [
            _parts(row, headed, below) if spanning else _Parts([], _columns(row, below), _below(row, below))
            for row in sheet.rows
        ]
        heads = [_head(head) for at, head in enumerate(sheet.heads) if at not in below]
        if headed:
            heads[:2] = [heads[0] + [Text(" " * INDENT) + heads[1][0]]]
        kept = [at for at in range(int(headed), len(sheet.heads)) if at not in below]
        columns = [
            _column(head, [row.cells[place] for row in parts], sheet.is_text(at))
            for place, (head, at) in enumerate(zip(heads, kept, strict=True))
        ]
        if any(cell_len(line.plain) > width for row in parts for line in row.above):
            continue
        for gap in GAPS:
            if _share(columns, width - gap * (len(columns) - 1)):
                return _Plan(columns, parts, sheet.breaks, gap, width)
    return None


@dataclass(frozen=True, slots=True)
class _Parts:
    """A row: the lines that stand over it, its cells, and the lines that stand below it; the cells alone are in columns."""

    above: list[Text]
    cells: list[list[Text]]
    below: list[Text]


def _parts(row: Sequence[Cell], headed: bool, below: Sequence[int]) -> _Parts:
    """A row whose first text stands over it; what is left of that column is indented, or below where it is a sentence."""
    first, label = row[0], _lines(row[1]) if headed else _lines(row[0])[1:]
    notes = label if not headed and _widest([first], notes=True) > PROSE else []
    indented = [Text(" " * INDENT) + line for line in label if not notes]
    above = [Text(printable(first.text), "bold" if first.strong else "")]
    return _Parts(above, [indented, *_columns(row, below)[1 + headed :]], [*notes, *_below(row, below)])


def _columns(row: Sequence[Cell], below: Sequence[int]) -> list[list[Text]]:
    return [_lines(cell) for at, cell in enumerate(row) if at not in below]


def _below(row: Sequence[Cell], below: Sequence[int]) -> list[Text]:
    return [line for at in below for line in _lines(row[at]) if line.plain]


def _widest(cells: Iterable[Cell], notes: bool = False) -> int:
    lines = (line.plain for cell in cells for line in _lines(cell)[int(notes) :])
    return max(map(cell_len, lines), default=0)


def _head(head: str) -> list[Text]:
    return [Text(printable(line), "bold") for line in head.split("\n")]


def _lines(cell: Cell) -> list[Text]:
    weight = "bold" if cell.strong else ""
    notes = [part for note in cell.notes for part in note.split("\n")]
    return [
        *(Text(printable(line), weight) for line in (cell.text, *cell.lines)),
        *(Text(printable(note), "dim") for note in notes),
    ]


def _column(head: list[Text], cells: Sequence[list[Text]], text: bool) -> _Column:
    """A column's widths: words stay whole, so do numbers with their units; a sentence wants to be readable."""
    lines = [*head, *(line for cell in cells for line in cell)]
    full = max(cell_len(line.plain) for line in lines)
    words = max(_longest_word(line.plain) for line in lines)
    if not text:
        words = max(words, *(cell_len(cell[0].plain) for cell in cells if cell), 0)
    return _Column(head, text, max(words, READABLE) if full > PROSE else words, full)


def _longest_word(line: str) -> int:
    indent = len(line) - len(line.lstrip(" "))
    return max((cell_len(word) + indent for word in line.split()), default=0)


def _share(columns: Sequence[_Column], room: int) -> bool:
    """Give every column its least width and share out the rest among those that want more; False where there is too little."""
    left = room - sum(column.least for column in columns)
    if left < 0:
        return False
    for column in columns:
        column.width = column.least
    while left and (wanting := [column for column in columns if column.width < column.full]):
        most = max(wanting, key=lambda column: column.full / column.width if column.width else column.full)
        most.width, left = most.width + 1, left - 1
    return True


def _blocks(sheet: Sheet, width: int, console: Console) -> Iterator[Text]:
    """A row as its names, and below them, indented, each other column by its head."""
    names = max(1, min(sheet.texts, NAMES))
    for number, row in enumerate(sheet.rows):
        if number in sheet.breaks:
            yield Text("")
        yield from _wrapped(Text(" · ".join(printable(cell.text) for cell in row[:names]), "bold"), width, console)
        pairs = [(" ".join(head.split()), _flat(cell)) for head, cell in zip(sheet.heads[names:], row[names:], strict=True)]
        parts = [f"{head} {value}" for head, value in pairs if value]
        below = [Text(printable(note), "dim") for cell in row[:names] for note in (*cell.lines, *cell.notes)]
        for text in (Text(" · ".join(parts)), *below):
            for line in _wrapped(text, max(1, width - INDENT), console):
                yield Text(" " * INDENT) + line


def _wrapped(text: Text, width: int, console: Console) -> list[Text]:
    """Lines of at most so many columns; an indent is kept on each."""
    indent = len(text.plain) - len(text.plain.lstrip(" "))
    if not indent or cell_len(text.plain) <= width:
        return list(text.wrap(console, max(1, width), overflow="fold"))
    lines = text[indent:].wrap(console, max(1, width - indent), overflow="fold")
    return [Text(" " * indent) + line for line in lines]
