"""Where the marks that close thinking stand in a text that is read unit by unit: at the last word of each."""

from __future__ import annotations

import re
import string

from core.collapse.units import UNITS
from core.engines.thinking import FAMILIES

_STEMS = [family.closes.rstrip(string.punctuation + "▷") for family in FAMILIES if not family.words]
_TAGS = ("think", "thinking", "thought", "reasoning")
_CLOSING = re.compile(rf"(?:{'|'.join(map(re.escape, _STEMS))}|</(?:\w{{1,16}}:)?(?:{'|'.join(_TAGS)}))\Z")

CLOSING_UNITS = frozenset([*_TAGS, *(UNITS.findall(stem)[-1] for stem in _STEMS)])
"""The units that may end the words of a closing mark."""


def closes_with(text: str) -> bool:
    """Whether a text ends with a closing mark up to its last word."""
    return _CLOSING.search(text) is not None
