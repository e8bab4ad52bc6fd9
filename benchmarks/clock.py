"""Spans of the day in any spelling: "7pm to 9pm", "19:00-21:00", "from 7 to 9 p.m.", "between noon and 1:30 PM"."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HALF = r"(?P<{0}>[ap]\.?\s?m\b\.?|a\.m\.|p\.m\.|o['’]clock|h\b|hrs?\b|uhr\b)?"
_TIME = r"(?P<{0}h>[01]?\d|2[0-4])(?:[:.h](?P<{0}m>[0-5]\d))?\s*" + _HALF.format("{0}x")
_NAMED = {"noon": "12pm", "midday": "12pm", "midnight": "12am"}
_SPAN = re.compile(
    rf"(?<![\d:])(?:{_TIME.format('a')})\s*(?:to|and|until|till|through|up\s+to|bis|à|al?|至|到|から|부터|[-–—~→]|,)\s*(?:{_TIME.format('b')})(?![\d:])",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"[*_`$~]|\\[,;: ]|\\(?:text|mathrm|textbf|mbox)\s*\{|[{}]")
_HOURS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMERALS = re.compile(
    rf"\b({'|'.join(_HOURS)})\b(?=\s*(?:o['’]clock|[ap]\.?m|to\b|and\b|until\b|till\b|in\s+the\b|at\s+night|[-–—]))",
    re.IGNORECASE,
)
_PART = re.compile(r"(?:in\s+the|at)\s+(morning|afternoon|evening|night)\b", re.IGNORECASE)
DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Interval:
    """A span of the day in minutes since midnight, and its offsets in the text. `vague`: neither am nor pm was said."""

    start: int
    end: int
    vague: bool
    at: int
    until: int

    def same(self, other: Interval) -> bool:
        """Whether two intervals begin and end at the same times."""
        return (self.start, self.end) == (other.start, other.end)

    def could_be(self, other: Interval) -> bool:
        """Whether one of them is the other in a clock of twelve hours that does not say which half of the day it means."""
        half = DAY // 2
        return (self.start - other.start) % half == 0 and (self.end - other.end) % half == 0


def intervals(text: str) -> list[Interval]:
    """All spans of the day in a text."""
    text = _MARKUP.sub(lambda match: " " * len(match[0]), text)
    text = _NUMERALS.sub(lambda m: str(_HOURS.index(m[1].lower()) + 1).ljust(len(m[0])), text)
    text = _PART.sub(lambda m: ("am" if m[1].lower() == "morning" else "pm").ljust(len(m[0])), text)
    text = re.sub(
        r"\b(?:12\s+)?(noon|midday|midnight)\b", lambda m: _NAMED[m[1].lower()].ljust(len(m[0])), text, flags=re.IGNORECASE
    )
    return [_interval(match) for match in _SPAN.finditer(text) if match["am"] or match["ax"] or match["bm"] or match["bx"]]


def _interval(match: re.Match[str]) -> Interval:
    first, second = _half(match["ax"]), _half(match["bx"])
    a, b = _minutes(match, "a"), _minutes(match, "b")
    start, end = _on_clock(a, first or _before(a, b, second)), _on_clock(b, second)
    vague = not first and not second and a <= 13 * 60 - 1 and b <= 13 * 60 - 1
    return Interval(start % DAY, end % DAY, vague, match.start(), match.end())


def _half(suffix: str | None) -> str:
    letter = (suffix or " ")[0].lower()
    return letter if letter in "ap" and suffix else ""


def _minutes(match: re.Match[str], name: str) -> int:
    return int(match[f"{name}h"]) * 60 + int(match[f"{name}m"] or 0)


def _before(a: int, b: int, second: str) -> str:
    """The half of the day that a first time without one shares with the second: "11 to 1 pm" begins in the morning."""
    if not second:
        return ""
    return second if a % 720 < b % 720 or a % 720 == b % 720 else ("a" if second == "p" else "p")


def _on_clock(minutes: int, half: str) -> int:
    return minutes % 720 + (720 if half == "p" else 0) if half and minutes < 13 * 60 else minutes
