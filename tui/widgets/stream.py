"""A view of growing text that cleans and wraps each piece once and keeps a window of rows.

New text wraps only the last row again, so text without any newline costs the same. Each row knows whether the next one
continues it, so that a resize can wrap again, and where in the text it begins. A bar at the left marks thinking.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from rich.segment import Segment
from rich.style import Style
from textual.events import MouseScrollDown, MouseScrollUp, Resize
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from core.engines.thinking import first_close, unfinished_close
from core.store.snapshot import Loop
from core.text import printable
from tui.widgets.folding import Fold
from tui.widgets.wrapping import wrap

Kind = Literal["thinking", "answer", "title", "loop", "unit", "rounds"]
LOW_MARK, HIGH_MARK = 2_000, 3_000
STYLES: dict[Kind, Style] = {
    "thinking": Style(dim=True),
    "answer": Style(),
    "title": Style(bold=True, underline=True),
    "loop": Style(bold=True, color="red"),
    "unit": Style(color="red"),
    "rounds": Style(bold=True, color="red"),
}
BARS: dict[Kind, str] = {"thinking": "┊ ", "loop": "▌ ", "unit": "▌ ", "rounds": "▌ "}
MATCH, HERE = Style(reverse=True), Style(reverse=True, bold=True, color="yellow")


@dataclass(slots=True)
class Row:
    """One visual line. `soft`: the next row continues it; `at`: where in the text it begins (-1: not part of the text)."""

    text: str
    kind: Kind
    at: int = -1
    soft: bool = False


class StreamView(ScrollView, can_focus=True):
    """Shows appended text; with `follow` its end stays in view. Beyond `high` rows only the last `low` are kept."""

    virtual_size = Reactive(Size(0, 0), repaint=False)
    """Not repainted by itself: it has no scroll bars, and growing lays nothing out."""

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
        self._loop: Loop | None = None  # the loop that was detected in this text
        self._marked = self._folding = False
        self._search, self._here = "", -1
        self._ground = Style()

    @property
    def rows(self) -> list[str]:
        """The visual lines in the window."""
        return [row.text for row in self._rows]

    def start(self) -> None:
        """Empty the view for a model's output, which begins with thinking and answers after the mark that closes it."""
        self.clear()
        self._fold, self._loop = Fold(), None
        self._marked = self._folding = False
        self._splits = True
        self._rows = [Row("", "thinking", 0)]

    def clear(self) -> None:
        """Empty the view."""
        self._rows, self._held, self._splits, self.dropped = [Row("", "answer")], "", False, 0
        self._here = -1
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
            self._unfold()
        self._show(text)

    def loop(self, loop: Loop) -> None:
        """A loop, or more rounds of it, was detected in this text: mark it once, at its position or at the present end."""
        self._loop = loop
        if not self._marked and self._fold.length >= loop.position:
            self._mark(loop)
        elif self._marked and not self._folding and loop.rule != "verbatim":
            self._count(loop.count)

    def _mark(self, loop: Loop) -> None:
        """Replace the rounds of a verbatim loop by the first one and a count; the rounds of other loops stay, below a mark."""
        self._marked, self._folding = True, loop.rule == "verbatim"
        after = self._fold.enter(loop)
        first = (self._fold.since(loop.onset) or "")[: loop.period] if self._folding else ""
        if first and self._cut(loop.onset):
            self._put(first, "unit", loop.onset)
        self._put_line(f"── LOOP ({loop.rule}) from character {loop.onset:,}: {loop.period:,} characters ──", "loop")
        if not first:
            self._put_line(loop.unit.strip("\n"), "unit")
        self._put_line(f"× {self._fold.rounds if self._folding else loop.count:,} rounds", "rounds")
        if after:
            self._unfold()
            self._put(after, self._kind, self._fold.length - len(after))
        self._grown()

    def _cut(self, at: int) -> bool:
        """Remove the text from character `at` on. Returns False where the view begins after it."""
        number = self._row_of(at)
        if number is None:
            return False
        row = self._rows[number]
        del self._rows[number + 1 :]
        row.text, row.soft, self._held = row.text[: at - row.at], False, ""
        if row.text:
            self._rows.append(Row("", row.kind, at))
        return True

    def _row_of(self, at: int) -> int | None:
        """The row with character `at`; None where the view begins after it."""
        return next((n for n in range(len(self._rows) - 1, -1, -1) if 0 <= self._rows[n].at <= at), None)

    def _unfold(self) -> None:
        self._folding = False
        self._put_line("── the loop has ended ──", "loop")

    def _count(self, rounds: int) -> None:
        row = next((row for row in reversed(self._rows) if row.kind == "rounds" and row.text), None)
        if row is not None:
            row.text = f"× {rounds:,} rounds"
            self.refresh()

    @property
    def _kind(self) -> Kind:
        return "thinking" if self._splits else "answer"

    def _show(self, text: str) -> None:
        at = self._fold.length - len(self._held)
        self._fold.read(text)
        text = self._held + text
        self._held = ""
        if self._splits and (close := first_close(text)) is not None:
            after = text[close[1] :]
            self._splits = False
            self._put(text[: close[0]], "thinking", at)
            self._put_line("── answer ──", "title")
            answer = after.lstrip("\n")
            self._put(answer, "answer", at + len(text) - len(answer))
            self._grown()
            return
        keep = _to_hold(text, self._splits)
        self._held = text[len(text) - keep :]
        self._put(text[: len(text) - keep], self._kind, at)
        self._grown()

    def finish(self) -> None:
        """The output is complete: show what was held back."""
        held, self._held = self._held, ""
        self._put(held, self._kind, self._fold.length - len(held))
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

    def _put(self, text: str, kind: Kind, at: int = -1) -> None:
        """Add text that begins at character `at` (approximate in rows of a line whose control characters were replaced)."""
        if not text:
            return
        width = self._width
        for number, line in enumerate(text.replace("\r\n", "\n").split("\n")):
            if number:
                self._rows.append(Row("", kind, at))
            last = self._rows[-1]
            last.kind, last.at = kind, at if last.at < 0 or not last.text else last.at
            pieces = wrap(last.text + printable(line), width)
            last.text, last.soft = pieces[0], len(pieces) > 1
            begins = last.at
            for upper, piece in pairwise(pieces):
                begins = begins + len(upper) if begins >= 0 else -1
                self._rows.append(Row(piece, kind, begins, True))
            self._rows[-1].soft = False
            at = at + len(line) + 1 if at >= 0 else -1

    @property
    def _width(self) -> int:
        return max(1, (self.scrollable_content_region.width or 80) - 2)

    def _grown(self) -> None:
        held_at = self.scroll_offset.y
        if len(self._rows) > self._high:
            gone = len(self._rows) - self._low
            del self._rows[:gone]
            self.dropped += gone
            self._here = max(-1, self._here - gone)
            if not self.follow:
                self.scroll_to(y=max(0, held_at - gone), animate=False)
        self.virtual_size = Size(self._width, len(self._rows))
        if self.follow:
            self.scroll_end(animate=False, x_axis=False)
        self.refresh(Region(0, 0, *self.size))

    def on_resize(self, event: Resize) -> None:
        """Wrap the window again when its width changes; a followed end stays in view."""
        if self._width == self._wrapped_at:
            if self.follow:
                self.scroll_end(animate=False, x_axis=False)
            return
        self._wrapped_at = self._width
        rows, self._rows, self._here = self._rows, [], -1
        text, begins = "", -1
        for row in rows:
            begins = row.at if not text else begins
            text += row.text
            if not row.soft:
                self._rows.append(Row("", row.kind, begins))
                self._put(text, row.kind, begins)
                text = ""
        self._grown()

    def page(self, step: int) -> None:
        """Scroll by a page, up (-1) or down (1), and stop following the end."""
        self.follow = False
        self.scroll_relative(y=step * max(1, self.size.height - 1), animate=False)

    def to_loop(self) -> bool:
        """Scroll to the start of the loop. Returns False where there is none in the window."""
        row = self._row_of(self._loop.onset) if self._loop is not None and self._marked else None
        if row is not None:
            self._go(row)
        return row is not None

    def search(self, text: str) -> tuple[int, int]:
        """Search for a text, ignoring case, and go to the next match from the top line on. Returns what `match` returns."""
        self._search, self._here = text.lower(), self.scroll_offset.y - 1
        return self.match(1)

    def match(self, step: int) -> tuple[int, int]:
        """Go to the next (1) or previous (-1) row with a match, around the ends. Returns its number and how many there are."""
        rows = [n for n in range(len(self._rows)) if any(start >= 0 for start, _ in self._matches(n))]
        if not rows:
            self.refresh()
            return 0, 0
        at = bisect_right(rows, self._here) + (0 if step > 0 else -1 - (self._here in rows))
        self._go(rows[at % len(rows)])
        return at % len(rows) + 1, len(rows)

    def _go(self, row: int) -> None:
        self._here, self.follow = row, False
        self.scroll_to(y=max(0, row - self.size.height // 3), animate=False)
        self.refresh()

    def _matches(self, number: int) -> list[tuple[int, int]]:
        """Start and end of each match in a row; a start below 0 lies in the row above, which the row continues."""
        if not self._search:
            return []
        above = self._rows[number - 1].text if number and self._rows[number - 1].soft else ""
        row = self._rows[number]
        below = self._rows[number + 1].text if row.soft and number + 1 < len(self._rows) else ""
        text, size = (above + row.text + below).lower(), len(self._search)
        if len(text) != len(above) + len(row.text) + len(below):  # a few letters change their length in lower case
            return []
        spans, at = [], text.find(self._search)
        while at >= 0:
            start, end = at - len(above), at - len(above) + size
            if end > 0 and start < len(row.text):
                spans.append((start, end))
            at = text.find(self._search, at + size)
        return spans

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Scrolling up stops following the end."""
        self.follow = False

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Scrolling down to the end follows it again."""
        self.follow = self.is_vertical_scroll_end

    def action_scroll_up(self) -> None:
        """A line up."""
        self.follow = False
        super().action_scroll_up()

    def action_page_up(self) -> None:
        """A page up."""
        self.page(-1)

    def action_scroll_home(self) -> None:
        """To the first line."""
        self.follow = False
        super().action_scroll_home()

    def action_scroll_end(self) -> None:
        """To the last line, and follow it."""
        self.follow = True
        super().action_scroll_end()

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines in view; their common style is computed once, since that takes longer than drawing a line."""
        self._ground = self.rich_style
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        width = self.size.width
        at = y + self.scroll_offset.y
        if at >= len(self._rows):
            return Strip.blank(width, self._ground)
        row = self._rows[at]
        style = STYLES[row.kind]
        segments = [Segment(BARS.get(row.kind, "  "), style)]
        done = 0
        for start, end in self._matches(at):
            start, end = max(0, start), min(end, len(row.text))
            mark = HERE if at == self._here else MATCH
            segments += [Segment(row.text[done:start], style), Segment(row.text[start:end], style + mark)]
            done = end
        segments.append(Segment(row.text[done:], style))
        return Strip(segments).adjust_cell_length(width).apply_style(self._ground)


def _to_hold(text: str, splits: bool) -> int:
    """How many characters at the end to hold back: the next piece may complete a closing mark or a line break."""
    if splits and (size := unfinished_close(text)):
        return size
    return 1 if text.endswith("\r") else 0
