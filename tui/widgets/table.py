"""A table with keyed rows that changes only the cells that differ, so that cursor and scroll position stay."""

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

    On narrow screens the column with the highest `drop` is removed first; 0 always stays. `grow` columns share spare width.
    `number`: the head is right-aligned. `name`: long cells are cut in the middle, since names differ at their ends.
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
        """The label, with a space before it."""
        return Text(f" {self.label}", no_wrap=True, justify="right" if self.number else "left")


Cells = Mapping[str, Text]


def fit(columns: Sequence[Column], width: int) -> list[tuple[Column, int]]:
    """The columns that fit into `width` cells, each with its width; there is one cell between columns."""
    fitting = list(columns)
    while sum(c.width + 1 for c in fitting) > width and any(c.drop for c in fitting):
        fitting.remove(max(fitting, key=lambda c: c.drop))
    spare = max(0, width - sum(c.width + 1 for c in fitting))
    growing = [c for c in fitting if c.grow]
    share = spare // len(growing) if growing else 0
    return [(c, c.width + (share if c.grow else 0)) for c in fitting]


class RowTable(DataTable[Text], inherit_bindings=False):
    """A DataTable of rows by key; see `sync`."""

    BINDINGS = keys.bindings("table")

    def __init__(self, columns: Sequence[Column], *, fixed: int = 0, cursor: CursorType = "row", id: str | None = None) -> None:
        super().__init__(cursor_type=cursor, cell_padding=0, fixed_columns=fixed, id=id)
        self._columns = tuple(columns)
        self._fitted: list[tuple[Column, int]] = []
        self._latest: dict[str, Cells] = {}
        self._area = Size()
        self._source: dict[str, Cells] = {}
        self._awaited: str | None = None
        self._ground: Style | None = None

    @property
    def rich_style(self) -> Style:
        """Textual's style, computed once for all lines that are drawn together, since that takes longer than drawing one."""
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

        A row whose cells are the same object as last time is skipped.
        """
        source, latest = self._source, self._latest
        self._source = dict(rows[:MAX_ROWS])
        self._latest = {
            key: latest[key] if source.get(key) is cells else {name: _padded(cell) for name, cell in cells.items()}
            for key, cells in self._source.items()
        }
        if columns is not None:
            self._columns = tuple(columns)
        self._draw(latest)

    def select(self, key: str) -> None:
        """Put the cursor on the row of this key, if there is one."""
        if key in self.rows:
            self.move_cursor(row=self.get_row_index(key), animate=False)

    def await_row(self, key: str) -> None:
        """Put the cursor on the row of this key as soon as there is one."""
        self._awaited = key

    def on_resize(self, event: Resize) -> None:
        """Choose the columns that fit."""
        self._area = event.size
        self._draw(self._latest)

    def _draw(self, before: Mapping[str, Cells]) -> None:
        if not self._area.width:
            return
        bar = 0 if len(self._latest) < self._area.height else self.styles.scrollbar_size_vertical
        fitted = fit(self._columns, self._area.width - bar)
        present = [row.key.value for row in self.ordered_rows]
        staying = [key for key in present if key in self._latest]
        if fitted != self._fitted or staying != list(self._latest)[: len(staying)]:
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
                at = next((n for n, (column, _) in enumerate(fitted) if column.key == under), 0)
                self.move_cursor(row=self.get_row_index(selected), column=at, animate=False, scroll=False)
                self.scroll_to(scrolled.x, scrolled.y, animate=False, force=True)

    def _in_order(self, cells: Cells) -> list[Text]:
        shown = [(column, width, cells.get(column.key, Text())) for column, width in self._fitted]
        return [both_ends(cell, width + 1) if column.name else cell for column, width, cell in shown]


def both_ends(cell: Text, width: int) -> Text:
    """A cell cut in the middle to `width`: a quarter from its beginning, `…`, and the rest from its end."""
    if cell.cell_len <= width:
        return cell
    head, tail = cell.copy(), cell.copy()
    head.truncate(width // 4 + 1, overflow="ellipsis")
    while tail.cell_len > width - head.cell_len:
        tail = tail[1:]
    return head.append_text(tail)


def _padded(cell: Text) -> Text:
    """A cell with a space before it; right-aligned cells have room there anyway."""
    if cell.justify != "right":
        cell.pad_left(1)
    return cell


def _same(old: Text, new: Text) -> bool:
    return old.plain == new.plain and old.style == new.style and old.spans == new.spans
