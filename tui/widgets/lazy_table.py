"""A table that draws only the rows in view, for lists in which every row changes with every snapshot.

Cells are made when a line is drawn, so hundreds of rows that change twice a second cost no more than the rows in view. It has
the keys and methods of `RowTable`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui import keys
from tui.widgets.table import Cells, Column, fit

Record = TypeVar("Record")


class LazyTable(ScrollView, Generic[Record], can_focus=True, inherit_bindings=False):
    """Shows records by key; `cells` makes the cells of one. The first line holds the column heads and does not scroll."""

    BINDINGS: ClassVar = keys.bindings("table")
    COMPONENT_CLASSES: ClassVar = {"lazy-table--head", "lazy-table--cursor"}

    class Highlighted(Message):
        """The cursor has moved to another row; `key` is None where there are no rows."""

        def __init__(self, key: str | None) -> None:
            super().__init__()
            self.key = key

    def __init__(self, columns: Sequence[Column], cells: Callable[[Record], Cells], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._columns, self._cells = tuple(columns), cells
        self._keys: list[str] = []
        self._records: list[Record] = []
        self._fitted: list[tuple[Column, int]] = []
        self._cursor = 0
        self._awaited: str | None = None
        self._parts: dict[str, Style] = {}

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(self._keys)

    @property
    def selected(self) -> str | None:
        """The key of the row under the cursor."""
        return self._keys[self._cursor] if self._cursor < len(self._keys) else None

    def sync(self, rows: Sequence[tuple[str, Record]], post: bool = True) -> None:
        """Show these rows. The cursor stays on its row, else at its position, which is posted as `Highlighted` if `post`."""
        before = self.selected
        self._keys, self._records = [key for key, _ in rows], [record for _, record in rows]
        key = self._awaited if self._awaited in self._keys else before
        at = self._keys.index(key) if key in self._keys else self._cursor
        self.virtual_size = Size(0, len(rows) + 1)  # it never scrolls sideways: columns that do not fit go
        if post:
            self._go(at, before)
        else:
            self._put(at)

    def select(self, key: str) -> None:
        """Put the cursor on the row of this key, if there is one."""
        self._awaited = None
        if key in self._keys:
            self._put(self._keys.index(key))

    def await_row(self, key: str) -> None:
        """Put the cursor on the row of this key as soon as there is one, unless the user moves the cursor first."""
        self._awaited = key

    def _put(self, at: int) -> None:
        self._cursor = max(0, min(at, len(self._keys) - 1))
        if not self.size.height:
            return  # hidden; `on_resize` scrolls when it is shown
        page = max(1, self.size.height - 1)
        if not self.scroll_offset.y <= self._cursor < self.scroll_offset.y + page:
            top = self._cursor if self._cursor < self.scroll_offset.y else self._cursor - page + 1
            self.scroll_to(y=top, animate=False)
        self.refresh(Region(0, 0, *self.size))  # not the scroll bar, which draws itself

    def _go(self, at: int, before: str | None) -> None:
        """Put the cursor on row `at`; post `Highlighted` where that is another row than `before`."""
        self._put(at)
        if self.selected != before:
            self.post_message(self.Highlighted(self.selected))

    def _step(self, rows: int) -> None:
        self._awaited = None
        self._go(self._cursor + rows, self.selected)

    def action_cursor_up(self) -> None:
        """Up."""
        self._step(-1)

    def action_cursor_down(self) -> None:
        """Down."""
        self._step(1)

    def action_page_up(self) -> None:
        """A page up."""
        self._step(1 - self.size.height)

    def action_page_down(self) -> None:
        """A page down."""
        self._step(self.size.height - 1)

    def action_scroll_top(self) -> None:
        """To the first row."""
        self._step(-len(self._keys))

    def action_scroll_bottom(self) -> None:
        """To the last row."""
        self._step(len(self._keys))

    def on_click(self, event: Click) -> None:
        """Put the cursor on the row that was clicked."""
        if event.y:
            self._step(self.scroll_offset.y + event.y - 1 - self._cursor)

    def on_resize(self, event: Resize) -> None:
        """Choose the columns that fit."""
        self._fitted = fit(self._columns, event.size.width - 1)
        self._put(self._cursor)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines in view; styles are computed once for all of them, since that takes longer than drawing a line."""
        parts = {part: self.get_component_rich_style(f"lazy-table--{part}") for part in ("head", "cursor")}
        self._parts = {"": self.rich_style, **parts}
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """The column heads, or one row."""
        if y == 0:
            return self._line({c.key: Text(c.label, justify="right" if c.number else "left") for c in self._columns}, "head")
        at = y - 1 + self.scroll_offset.y
        if at >= len(self._records):
            return Strip.blank(self.size.width, self._parts[""])
        return self._line(self._cells(self._records[at]), "cursor" if at == self._cursor else "")

    def _line(self, cells: Cells, part: str) -> Strip:
        """The cells of a line, each cut to its column and with a space before it."""
        line = Text(end="", no_wrap=True)
        for column, width in self._fitted:
            cell = cells.get(column.key, Text()).copy()
            cell.truncate(width, overflow="ellipsis")
            (cell.pad_left if cell.justify == "right" else cell.pad_right)(width - cell.cell_len)
            line.append(" ").append_text(cell)
        segments = [Segment(text, (style or Style())) for text, style, _ in line.render(self.app.console)]
        return Strip(segments).adjust_cell_length(self.size.width).apply_style(self._parts[part])
