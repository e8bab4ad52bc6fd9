"""Plots as pictures: SVG that follows the reader's light or dark theme, and PNG. Both from the same strokes."""

from __future__ import annotations

import html
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from core.results.show.labels import HIGH, NEAR, WIDE, Labels, Position
from core.results.show.plots import Plot, Series, marks, reach, ticks
from core.text import printable

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

WIDTH, HEIGHT = 560, 340
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 36, 48
LINE = 18
LABEL = 76
"""Characters of a name in the legend."""

LIGHT = {"paper": "#ffffff", "ink": "#222222", "grid": "#dddddd"}
DARK = {"paper": "#16181d", "ink": "#dddddd", "grid": "#3a3f4a"}
COLOURS = ("#1b6ca8", "#d1661f", "#2f9e44", "#ae3ec9", "#b58900", "#0c8599", "#e03131", "#868e96")
"""Colours of the series, each visible on the light and on the dark background."""


Anchor = Literal["start", "middle", "end"]


class Canvas(Protocol):
    """What a plot is drawn on; a colour is a name of the theme (paper, ink, grid) or #rrggbb."""

    def line(self, positions: Sequence[Position], colour: str, width: float) -> None:
        """A line through positions."""

    def dot(self, position: Position, colour: str) -> None:
        """A point."""

    def text(self, position: Position, text: str, anchor: Anchor, colour: str, size: int, upward: bool) -> None:
        """A line of text, its baseline at the position."""


def svg(plot: Plot) -> str:
    """A plot as an SVG document."""
    height = _height(plot)
    canvas = _Svg()
    _draw(canvas, plot)
    names = "".join(f".plot-{name}{{--c:{colour}}}" for name, colour in LIGHT.items())
    dark = "".join(f".plot-{name}{{--c:{colour}}}" for name, colour in DARK.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="system-ui,sans-serif"><title>{html.escape(printable(plot.title))}</title>'
        f"<style>{names}@media (prefers-color-scheme:dark){{{dark}}}</style>"
        f'<rect width="100%" height="100%" class="plot-paper" fill="var(--c)"/>{"".join(canvas.parts)}</svg>\n'
    )


def png(plot: Plot, scale: int = 2) -> bytes:
    """A plot as a PNG on white, `scale` pixels a unit."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH * scale, _height(plot) * scale), LIGHT["paper"])
    _draw(_Pixels(ImageDraw.Draw(image), scale), plot)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _height(plot: Plot) -> int:
    return HEIGHT + LINE * len(plot.series) + 8


def _draw(canvas: Canvas, plot: Plot) -> None:
    """Axes, spans along the x axis, intervals, lines, points, and the names below."""
    low, high = reach(plot)
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def x(value: float) -> float:
        return LEFT + (value - low) / ((high - low) or 1.0) * (right - LEFT)

    def y(value: float) -> float:
        return bottom - value / 100 * (bottom - TOP)

    canvas.text((LEFT, 22), plot.title, "start", "ink", 14, False)
    for tick in range(0, 101, 20):
        canvas.line([(LEFT, y(tick)), (right, y(tick))], "grid", 1)
        canvas.text((LEFT - 6, y(tick) + 4), str(tick), "end", "ink", 11, False)
    for value in ticks(low, high):
        canvas.text((x(value), bottom + 16), f"{value:g}", "middle", "ink", 11, False)
    canvas.text(((LEFT + right) / 2, bottom + 36), plot.x_label, "middle", "ink", 12, False)
    canvas.text((18, (TOP + bottom) / 2), "percent", "middle", "ink", 12, True)
    dots = [(x(p.x), y(p.y)) for one in plot.series if one.dotted for p in one.points]
    labels = Labels((LEFT, TOP, right, bottom), dots)
    for at, (one, mark) in enumerate(zip(plot.series, marks(plot), strict=True)):
        colour = COLOURS[at % len(COLOURS)]
        if one.span:
            level = bottom - 3 - 5 * at
            canvas.line([(x(one.span[0]), level), (x(one.span[1]), level)], colour, 4)
        _series(canvas, one, [(x(p.x), y(p.y)) for p in one.points], colour, mark, labels)
        for point in one.points:
            if point.low is not None and point.high is not None:
                canvas.line([(x(point.x), y(point.low)), (x(point.x), y(point.high))], colour, 1)
        name = one.name if len(one.name) <= LABEL else one.name[: LABEL - 1] + "…"
        canvas.text((LEFT, HEIGHT + LINE * at + 6), f"{mark} {name}".strip(), "start", colour, 12, False)


def _series(canvas: Canvas, one: Series, positions: Sequence[Position], colour: str, mark: str, labels: Labels) -> None:
    if one.joined and len(positions) > 1:
        canvas.line(positions, colour, 2)
    for position in positions if one.dotted else ():
        canvas.dot(position, colour)
    for position in (positions[-1:] if one.joined else positions) if mark.strip() else ():
        place = labels.place(position, mark)
        if math.dist(place, position) > NEAR:
            canvas.line([position, (place[0] + WIDE / 2, place[1] - HIGH / 2)], "grid", 1)
        canvas.text(place, mark, "start", colour, 11, False)


@dataclass(slots=True)
class _Svg:
    parts: list[str] = field(default_factory=list)

    def line(self, positions: Sequence[Position], colour: str, width: float) -> None:
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in positions)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke-width="{width:g}"{_paint("stroke", colour)}/>')

    def dot(self, position: Position, colour: str) -> None:
        self.parts.append(f'<circle cx="{position[0]:.1f}" cy="{position[1]:.1f}" r="3"{_paint("fill", colour)}/>')

    def text(self, position: Position, text: str, anchor: Anchor, colour: str, size: int, upward: bool) -> None:
        turned = f' transform="rotate(-90 {position[0]:.1f} {position[1]:.1f})"' if upward else ""
        self.parts.append(
            f'<text x="{position[0]:.1f}" y="{position[1]:.1f}" text-anchor="{anchor}" font-size="{size}"'
            f"{_paint('fill', colour)}{turned}>{html.escape(printable(text))}</text>"
        )


def _paint(what: str, colour: str) -> str:
    return f' class="plot-{colour}" {what}="var(--c)"' if colour in LIGHT else f' {what}="{colour}"'


@dataclass(slots=True)
class _Pixels:
    image: ImageDraw
    scale: int

    def line(self, positions: Sequence[Position], colour: str, width: float) -> None:
        self.image.line([self._at(position) for position in positions], LIGHT.get(colour, colour), round(width * self.scale))

    def dot(self, position: Position, colour: str) -> None:
        self.image.circle(self._at(position), 3 * self.scale, LIGHT.get(colour, colour))

    def text(self, position: Position, text: str, anchor: Anchor, colour: str, size: int, upward: bool) -> None:
        from PIL import Image, ImageDraw, ImageFont

        font = ImageFont.load_default(size * self.scale)
        shown, paint = printable(text), LIGHT.get(colour, colour)
        if not upward:
            self.image.text(self._at(position), shown, paint, font, {"start": "ls", "middle": "ms", "end": "rs"}[anchor])
            return
        left, top, right, bottom = (round(edge) for edge in font.getbbox(shown))
        part = Image.new("RGB", (right - left, bottom - top), LIGHT["paper"])
        ImageDraw.Draw(part).text((-left, -top), shown, paint, font)
        px, py = self._at(position)
        turned = part.rotate(90, expand=True)
        self.image._image.paste(turned, (round(px) - turned.width, round(py) - turned.height // 2))

    def _at(self, position: Position) -> Position:
        return position[0] * self.scale, position[1] * self.scale
