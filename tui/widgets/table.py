"""A table whose rows are keyed and whose cells change only where they differ, so that cursor and scroll stay put."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text
from textual.events import Resize
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widgets import DataTable
from textual.widgets.data_table import CursorType

from tui import keys

MAX_ROWS = 500


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `width` cells.

    On narrow screens the highest `drop` goes first, 0 always stays; `grow` takes what is left. The heads of numbers
    stand to the right, as numbers do. Where `name`, cells that are too long lose their middle: names differ at the end.
    """

    key: str
    label: str
    width: int
    drop: int = 0
    grow: bool = False
    number: bool = False
    name: bool = False

    @property
    def head(self) -> Text:
        """The label, with the space that keeps it from the column before."""
        return Text(f" {self.label}", no_wrap=True, justify="right" if self.number else "left")


Cells = Mapping[str, Text]


def fit(columns: Sequence[Column], width: int) -> list[tuple[Column, int]]:
    """The columns that fit `width` cells, each with its width; one cell stands between columns."""
    kept = list(columns)
    while sum(c.width + 1 for c in kept) > width and any(c.drop for c in kept):
        kept.remove(max(kept, key=lambda c: c.drop))
    spare = max(0, width - sum(c.width + 1 for c in kept))
    growing = [c for c in kept if c.grow]
    share = spare // len(growing) if growing else 0
    return [(c, c.width + (share if c.grow else 0)) for c in kept]


class RowTable(DataTable[Text], inherit_bindings=False):
    """Rows by key; see `sync`."""

    BINDINGS = keys.bindings("table")

    def __init__(self, columns: Sequence[Column], *, fixed: int = 0, cursor: CursorType = "row", id: str | None = None) -> None:
        super().__init__(cursor_type=cursor, cell_padding=0, fixed_columns=fixed, id=id)
        self._wanted = tuple(columns)
        self._fitted: list[tuple[Column, int]] = []
        self._latest: dict[str, Cells] = {}
        self._at = Size()
        self._given: dict[str, Cells] = {}
        self._awaited: str | None = None
        self._ground: Style | None = None

    @property
    def rich_style(self) -> Style:
        """Textual's, worked out once for all the lines that are drawn together, since that takes longer than a line."""
        return self._ground or super().rich_style

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines in view."""
        self._ground = super().rich_style
        try:
            return super().render_lines(crop)
        finally:
            self._ground = None

    @property
    def selected(self) -> str | None:
        """The key of the row under the cursor."""
        if not 0 <= self.cursor_row < self.row_count:
            return None
        return self.ordered_rows[self.cursor_row].key.value

    @property
    def selected_column(self) -> str | None:
        """The key of the column under the cursor."""
        at = self.cursor_column
        return self._fitted[at][0].key if 0 <= at < len(self._fitted) else None

    def sync(self, rows: Sequence[tuple[str, Cells]], columns: Sequence[Column] | None = None) -> None:
        """Show these rows, at most `MAX_ROWS`, changing only what differs; `columns` replaces the columns.

        The same cells (the same object) as last time cost nothing.
        """
        given, latest = self._given, self._latest
        self._given = dict(rows[:MAX_ROWS])
        self._latest = {
            key: latest[key] if given.get(key) is cells else {name: _apart(cell) for name, cell in cells.items()}
            for key, cells in self._given.items()
        }
        if columns is not None:
            self._wanted = tuple(columns)
        self._draw(latest)

    def select(self, key: str) -> None:
        """Put the cursor on a row, where there is one of that key."""
        if key in self.rows:
            self.move_cursor(row=self.get_row_index(key), animate=False)

    def await_row(self, key: str) -> None:
        """Put the cursor on a row as soon as there is one of that key."""
        self._awaited = key

    def on_resize(self, event: Resize) -> None:
        """Choose the columns that fit."""
        self._at = event.size
        self._draw(self._latest)

    def _draw(self, before: Mapping[str, Cells]) -> None:
        if not self._at.width:
            return
        bar = 0 if len(self._latest) < self._at.height else self.styles.scrollbar_size_vertical
        fitted = fit(self._wanted, self._at.width - bar)
        present = [row.key.value for row in self.ordered_rows]
        kept = [key for key in present if key in self._latest]
        if fitted != self._fitted or kept != list(self._latest)[: len(kept)]:
            self._rebuild(fitted)
        else:
            for key in present:
                if key is not None and key not in self._latest:
                    self.remove_row(key)
            for key, cells in self._latest.items():
                self._update(key, cells, before)
        if self._awaited in self._latest:
            self.select(self._awaited)
            self._awaited = None

    def _update(self, key: str, cells: Cells, before: Mapping[str, Cells]) -> None:
        if key not in self.rows:
            self.add_row(*self._in_order(cells), key=key)
            return
        if before.get(key) is cells:
            return
        for (column, _), new in zip(self._fitted, self._in_order(cells), strict=True):
            if not _same(self.get_cell(key, column.key), new):
                self.update_cell(key, column.key, new)

    def _rebuild(self, fitted: list[tuple[Column, int]]) -> None:
        selected, under, scrolled = self.selected, self.selected_column, self.scroll_offset
        with self.app.batch_update():
            self.clear(columns=fitted != self._fitted)
            if fitted != self._fitted:
                self._fitted = fitted
                for column, width in fitted:
                    self.add_column(column.head, key=column.key, width=width + 1)
            for key, cells in self._latest.items():
                self.add_row(*self._in_order(cells), key=key)
            if selected is not None and selected in self.rows:
                at = next((n for n, (kept, _) in enumerate(fitted) if kept.key == under), 0)
                self.move_cursor(row=self.get_row_index(selected), column=at, animate=False, scroll=False)
                self.scroll_to(scrolled.x, scrolled.y, animate=False, force=True)

    def _in_order(self, cells: Cells) -> list[Text]:
        shown = [(column, width, cells.get(column.key, Text())) for column, width in self._fitted]
        return [both_ends(cell, width + 1) if column.name else cell for column, width, cell in shown]


def both_ends(cell: Text, width: int) -> Text:
    """A cell that fits `width`: a quarter of that from the beginning, `…`, and the rest from the end."""
    if cell.cell_len <= width:
        return cell
    head, tail = cell.copy(), cell.copy()
    head.truncate(width // 4 + 1, overflow="ellipsis")
    while tail.cell_len > width - head.cell_len:
        tail = tail[1:]
    return head.append_text(tail)


def _apart(cell: Text) -> Text:
    """A cell with the space that keeps it from the column before; text set to the right has it anyway."""
    if cell.justify != "right":
        cell.pad_left(1)
    return cell


def _same(old: Text, new: Text) -> bool:
    return old.plain == new.plain and old.style == new.style and old.spans == new.spans
