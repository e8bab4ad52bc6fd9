"""Colours for terminals with 256 or 16 of them: Rich's own conversion makes dark blue of dark grey, and red of orange."""

from __future__ import annotations

import colorsys
from functools import lru_cache

from rich.color import Color as RichColor
from rich.color import ColorSystem, ColorType
from rich.palette import Palette
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from textual.color import Color
from textual.filter import LineFilter

FIRST_FIXED = 16
"""The palette's first colour that users cannot set."""
GREYISH = 0.16
"""Below this chroma (0 to 1) a colour is drawn as a grey where there are only 16."""
SYSTEMS = {"256": ColorSystem.EIGHT_BIT, "standard": ColorSystem.STANDARD}
LEAST_CONTRAST = 0.25
"""Text nearer to its ground in brightness (0 to 1) is drawn black or white where there are only 16 colours."""
_GREYS = (0, 8, 7, 15)
_HUES = (1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14)


class LowColour(LineFilter):
    """Replaces 24-bit colours by the palette's nearest."""

    def __init__(self, system: str | None) -> None:
        """`system` as Rich names it; nothing is done for `truecolor` and None."""
        super().__init__(system in SYSTEMS)
        self._system = SYSTEMS.get(system or "", ColorSystem.TRUECOLOR)

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same text in colours of the palette."""
        return [Segment(s.text, s.style and _lowered(s.style, self._system), s.control) for s in segments]


@lru_cache(4096)
def _lowered(style: Style, system: ColorSystem) -> Style:
    front, back = (colour and lowered(colour, system) for colour in (style.color, style.bgcolor))
    if system == ColorSystem.STANDARD and front and back and abs(_light(front) - _light(back)) < LEAST_CONTRAST:
        front = _standard(15 if _light(back) < 0.5 else 0)
    return style + Style.from_color(front, back)


def _light(colour: RichColor) -> float:
    """How bright a colour looks, from 0 to 1."""
    red, green, blue = colour.get_truecolor(DEFAULT_TERMINAL_THEME)
    return (0.3 * red + 0.59 * green + 0.11 * blue) / 255


@lru_cache(4096)
def lowered(colour: RichColor, system: ColorSystem) -> RichColor:
    """The palette's colour that looks most like this one; a colour of the palette stays as it is."""
    if colour.type != ColorType.TRUECOLOR or colour.triplet is None:
        return colour
    red, green, blue = colour.triplet
    if system == ColorSystem.STANDARD:
        return _standard(_nearest_hue(red, green, blue))
    return RichColor.from_ansi(min(range(FIRST_FIXED, 256), key=lambda number: _distance(number, red, green, blue)))


def _distance(number: int, red: int, green: int, blue: int) -> int:
    """How far a colour of the 256 is from another, more for a difference in green, which eyes see best."""
    r, g, b = RichColor.from_ansi(number).get_truecolor()
    return 2 * (r - red) ** 2 + 4 * (g - green) ** 2 + 3 * (b - blue) ** 2


def _standard(number: int) -> RichColor:
    return RichColor(f"color({number})", ColorType.STANDARD, number)


def _nearest_hue(red: int, green: int, blue: int) -> int:
    """The number of the nearest of 16 colours: by hue and then lightness; greyish colours by lightness alone."""
    hue, light, _ = _hls(red, green, blue)
    if (max(red, green, blue) - min(red, green, blue)) / 255 < GREYISH:
        return min(_GREYS, key=lambda number: abs(_of(number)[1] - light))
    return min(_HUES, key=lambda number: (round(_turn(_of(number)[0] - hue), 2), abs(_of(number)[1] - light)))


def _turn(difference: float) -> float:
    return min(abs(difference), 1 - abs(difference))


@lru_cache(16)
def _of(number: int) -> tuple[float, float, float]:
    palette: Palette = DEFAULT_TERMINAL_THEME.ansi_colors
    return _hls(*palette[number])


def _hls(red: int, green: int, blue: int) -> tuple[float, float, float]:
    return colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
