"""Wrapping of lines to a width in cells."""

from __future__ import annotations

from rich.cells import cell_len, get_character_cell_size


def wrap(text: str, width: int) -> list[str]:
    """Wrap a line at its spaces, or inside words longer than `width`; the space at a break stays on the upper row."""
    if len(text) <= width and (text.isascii() or cell_len(text) <= width):
        return [text]
    rows: list[str] = []
    start = 0
    while start < len(text):
        end = _row_end(text, start, width)
        if end < len(text):
            space = text.rfind(" ", start, end + 1)
            if space > start:
                end = space + 1
        rows.append(text[start:end])
        start = end
    return rows


def _row_end(text: str, start: int, width: int) -> int:
    """The end of the longest piece from `start` that fits into `width` cells; at least one character."""
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
