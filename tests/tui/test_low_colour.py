"""Every theme in true colour, 256, 16 and none: greys stay grey, orange is not red, and text differs from its ground."""

from __future__ import annotations

import pytest
from rich.color import Color, ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as TextualColor
from textual.theme import BUILTIN_THEMES

from tui.low_colour import LowColour, lowered

TRUE = [name for name in BUILTIN_THEMES if not name.startswith("ansi") and name != "textual-ansi"]


def ground(name: str, part: str) -> Color:
    """A colour of a theme."""
    return TextualColor.parse(BUILTIN_THEMES[name].to_color_system().generate()[part]).rich_color


@pytest.mark.parametrize("name", TRUE)
@pytest.mark.parametrize("part", ["panel", "surface", "background", "footer-background"])
def test_grounds_stay_as_bright_and_as_grey_in_256_colours(name: str, part: str) -> None:
    colour = ground(name, part)
    was, now = colour.get_truecolor(), lowered(colour, ColorSystem.EIGHT_BIT).get_truecolor()
    assert abs(sum(was) - sum(now)) <= 75, "a quarter of a step in each of three channels, or so"
    assert max(now) - min(now) <= 1.3 * (max(was) - min(was)) + 24, "a grey does not become a colour"


def test_the_default_themes_head_is_grey_in_256_colours_and_its_hints_are_yellow_in_16() -> None:
    assert lowered(ground("textual-dark", "panel"), ColorSystem.EIGHT_BIT).number == 236
    assert lowered(ground("textual-dark", "footer-key-foreground"), ColorSystem.STANDARD).number in (3, 11)


@pytest.mark.parametrize("name", TRUE)
@pytest.mark.parametrize("system", ["256", "standard", "truecolor", None])
def test_text_can_be_told_from_its_ground(name: str, system: str | None) -> None:
    style = Style.from_color(ground(name, "foreground"), ground(name, "panel"))
    lower = LowColour(system)
    [segment] = lower.apply([Segment("x", style)], TextualColor(0, 0, 0)) if lower.enabled else [Segment("x", style)]
    shown = segment.style
    assert shown is not None and shown.color is not None and shown.bgcolor is not None
    assert lower.enabled is (system in ("256", "standard"))
    front, back = shown.color.get_truecolor(), shown.bgcolor.get_truecolor()
    assert sum(abs(a - b) for a, b in zip(front, back, strict=True)) > 180
