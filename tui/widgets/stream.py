"""A view of growing text: made safe once, wrapped once, appended in batches, a window of the last lines kept.

A growing visual line is wrapped again from its own start only: lines above it are never touched, so text without any
newline costs the same. Rows remember whether they were broken by wrapping, so that a resize can wrap them anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from core.store.snapshot import Loop
from core.text import printable
from tui.widgets.folding import Fold

Kind = Literal["thinking", "answer", "title", "loop", "unit", "rounds"]
LOW_MARK, HIGH_MARK = 2_000, 3_000
THINK_END = "</think>"
STYLES: dict[Kind, Style] = {
    "thinking": Style(dim=True),
    "answer": Style(),
    "title": Style(bold=True, underline=True),
    "loop": Style(bold=True, color="red"),
    "unit": Style(color="red"),
    "rounds": Style(bold=True, color="red"),
}


@dataclass(slots=True)
class Row:
    """One visual line; `soft` says that the next row continues it."""

    text: str
    kind: Kind
    soft: bool = False


class StreamView(ScrollView, can_focus=True):
    """Shows appended text; with `follow` its end stays in view. Beyond `high` rows, only the last `low` are kept."""

    def __init__(self, *, low: int = LOW_MARK, high: int = HIGH_MARK, id: str | None = None) -> None:
        super().__init__(id=id)
        self.follow = True
        self.dropped = 0
        self._low, self._high = low, high
        self._rows: list[Row] = [Row("", "answer")]
        self._held = ""
        self._splits = False
        self._wrapped_at = 0
        self._fold = Fold()
        self._loop: Loop | None = None  # the one that is known of this text
        self._marked = self._folding = False

    @property
    def rows(self) -> list[str]:
        """The visual lines in the window."""
        return [row.text for row in self._rows]

    def start(self) -> None:
        """Empty the view for a model's output, which begins with thinking and answers after `</think>`."""
        self.clear()
        self._fold, self._loop = Fold(), None
        self._marked = self._folding = False
        self._splits = True
        self._rows = [Row("", "thinking")]

    def clear(self) -> None:
        """Empty the view for texts that are written kind by kind."""
        self._rows, self._held, self._splits, self.dropped = [Row("", "answer")], "", False, 0
        self._grown()

    def append(self, text: str) -> None:
        """Add a piece of a model's output, cut anywhere; further rounds of a verbatim loop are counted, not shown."""
        loop = self._loop
        if loop is not None and not self._marked:
            before, text = text[: loop.position - self._fold.length], text[loop.position - self._fold.length :]
            self._show(before)
            if text:
                self._mark(loop)
        if self._folding:
            text = self._fold.rest(text)
            self._count(self._fold.rounds)
            if not text:
                return
            self._folding = False
            self._put_line("── the loop has ended ──", "loop")
        self._show(text)

    def loop(self, loop: Loop) -> None:
        """The detector has seen a loop in this text, or more rounds of it: mark it where it was seen, or here, once."""
        self._loop = loop
        if not self._marked and self._fold.length >= loop.position:
            self._mark(loop)
        elif self._marked and not self._folding and loop.rule != "verbatim":
            self._count(loop.count)

    def _mark(self, loop: Loop) -> None:
        self._marked, self._folding = True, loop.rule == "verbatim"
        self._fold.enter(loop)
        self._put_line(f"── LOOP ({loop.rule}) from character {loop.onset:,}: {loop.period:,} characters ──", "loop")
        self._put_line(loop.unit.strip("\n"), "unit")
        self._put_line(_rounds(self._fold.rounds), "rounds")
        self._grown()

    def _count(self, rounds: int) -> None:
        row = next((row for row in reversed(self._rows) if row.kind == "rounds" and row.text), None)
        if row is not None:
            row.text = _rounds(rounds)
            self.refresh()

    def _show(self, text: str) -> None:
        self._fold.read(text)
        text = self._held + text
        self._held = ""
        if self._splits:
            before, found, after = text.partition(THINK_END)
            if found:
                self._splits = False
                self._put(before, "thinking")
                self._put_line("── answer ──", "title")
                self._put(after.lstrip("\n"), "answer")
                self._grown()
                return
        keep = _to_hold(text, self._splits)
        self._held = text[len(text) - keep :]
        self._put(text[: len(text) - keep], "thinking" if self._splits else "answer")
        self._grown()

    def finish(self) -> None:
        """The output is complete: nothing is held back any more."""
        held, self._held = self._held, ""
        self._put(held, "thinking" if self._splits else "answer")
        self._grown()

    def write(self, text: str, kind: Kind) -> None:
        """Add whole lines of one kind."""
        self._put_line(text, kind)
        self._grown()

    def _put_line(self, text: str, kind: Kind) -> None:
        last = self._rows[-1]
        if last.text:
            self._rows.append(Row("", kind))
        back = last.kind
        self._put(text, kind)
        self._rows.append(Row("", back))

    def _put(self, text: str, kind: Kind) -> None:
        if not text:
            return
        width = self._width
        for number, line in enumerate(printable(text, keep_newlines=True).split("\n")):
            if number:
                self._rows.append(Row("", kind))
            last = self._rows[-1]
            last.kind = kind
            pieces = _wrap(last.text + line, width)
            last.text, last.soft = pieces[0], len(pieces) > 1
            self._rows.extend(Row(piece, kind, True) for piece in pieces[1:])
            self._rows[-1].soft = False

    @property
    def _width(self) -> int:
        return max(1, self.scrollable_content_region.width or 80)

    def _grown(self) -> None:
        held_at = self.scroll_offset.y
        if len(self._rows) > self._high:
            gone = len(self._rows) - self._low
            del self._rows[:gone]
            self.dropped += gone
            if not self.follow:
                self.scroll_to(y=max(0, held_at - gone), animate=False)
        self.virtual_size = Size(self._width, len(self._rows))
        if self.follow:
            self.scroll_end(animate=False, x_axis=False)
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        """Wrap the window anew when its width changes."""
        width = self._width
        if width == self._wrapped_at:
            return
        self._wrapped_at = width
        rows: list[Row] = []
        text = ""
        for row in self._rows:
            text += row.text
            if not row.soft:
                pieces = _wrap(text, width)
                rows.extend(Row(piece, row.kind, True) for piece in pieces)
                rows[-1].soft = False
                text = ""
        self._rows = rows
        self._grown()

    def page(self, step: int) -> None:
        """Scroll by a page, up (-1) or down (1); the end is followed no longer."""
        self.follow = False
        self.scroll_relative(y=step * max(1, self.size.height - 1), animate=False)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        width = self.size.width
        at = y + self.scroll_offset.y
        if at >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        row = self._rows[at]
        strip = Strip([Segment(row.text, STYLES[row.kind])])
        return strip.adjust_cell_length(width).apply_style(self.rich_style)


def _rounds(count: int) -> str:
    return f"× {count:,} rounds"


def _to_hold(text: str, splits: bool) -> int:
    """How many characters at the end may belong to something that the next piece completes."""
    if splits:
        for size in range(min(len(text), len(THINK_END) - 1), 0, -1):
            if THINK_END.startswith(text[-size:]):
                return size
    return 1 if text.endswith("\r") else 0


def _wrap(text: str, width: int) -> list[str]:
    """Break a line at its spaces, or inside words that are too long; the space at a break stays with the upper line."""
    if len(text) <= width and (text.isascii() or cell_len(text) <= width):
        return [text]
    rows: list[str] = []
    start = 0
    while start < len(text):
        end = _fitting(text, start, width)
        if end < len(text):
            space = text.rfind(" ", start, end + 1)
            if space > start:
                end = space + 1
        rows.append(text[start:end])
        start = end
    return rows


def _fitting(text: str, start: int, width: int) -> int:
    """The end of the longest piece from `start` that fits `width` cells; at least one character."""
    piece = text[start : start + width]
    if piece.isascii():
        return start + len(piece)
    cells, end = 0, start
    while end < len(text):
        cells += get_character_cell_size(text[end])
        if cells > width and end > start:
            break
        end += 1
    return end
