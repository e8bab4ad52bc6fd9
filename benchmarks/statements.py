"""Where an answer part states its answer: the spans that the benchmarks' own rules then read.

Read off real outputs of reasoning models: they end in "**Answer:** (C) 2pm to 4pm", "Final Answer: \\boxed{B}",
"The correct answer is (A)", a heading with the answer on the next line, or in nothing but the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

WINDOW = 20_000
"""Characters at the end of an answer part in which an answer is looked for; real answers are shorter than 5,000."""

_EXPLICIT = re.compile(
    r"(?:final\s+answer|correct\s+(?:answer|option|choice|time)|answer|correct\s+option)"
    r"(?P<gap>[*_`#:\s]*+)(?P<verb>(?:(?:(?:should|must|would)\s+be|is|are|was|were)(?![^\W_])|=)[*_`#:\s]*+)?"
    r"(?:option\s+|indeed\s+|therefore,?\s+|that\s+)?(?P<answer>[^\n]+)",
    re.IGNORECASE,
)
_BOLD = re.compile(r"\*\*(?P<answer>[^*\n]+)\*\*")
_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,9}\{|[{}]")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the answer part in which a rule expects the answer."""

    rule: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Offset just behind the stretch."""
        return self.start + len(self.text)


def candidates(answer: str) -> Iterator[Span]:
    """Every place where an answer may stand, the most explicit first, later ones before earlier ones in each rule.

    Looks at the last WINDOW characters; full-width letters and digits become plain ones.
    """
    base = max(0, len(answer) - WINDOW)
    plain = answer[base:].translate(_FULL_WIDTH)
    stated = [m for m in _EXPLICIT.finditer(plain) if m["verb"] or ":" in m["gap"] or "\n" in m["gap"]]
    for match in reversed(stated):
        yield Span("statement", match["answer"], base + match.start("answer"))
    for start, end in reversed(list(_boxes(plain))):
        yield Span("boxed", plain[start:end], base + start)
    for match in reversed(list(_BOLD.finditer(plain))):
        yield Span("bold", match["answer"], base + match.start("answer"))
    last = last_line(plain)
    if last:
        yield Span(last.rule, last.text, base + last.start)


def last_line(answer: str) -> Span | None:
    """The last line that says something (rules and code fences do not)."""
    offset = len(answer)
    for line in reversed(answer.split("\n")):
        offset -= len(line)
        if re.search(r"[^\W_]", line) and not line.strip().startswith("```"):
            stripped = line.strip()
            return Span("last line", stripped, offset + line.index(stripped))
        offset -= 1
    return None


def _boxes(answer: str) -> Iterator[tuple[int, int]]:
    """Start and end of what each box holds, in the order in which the boxes close."""
    opened: list[tuple[int, bool]] = []
    for match in _BOX.finditer(answer):
        if match[0] != "}":
            opened.append((match.end(), match[0] != "{"))
        elif opened:
            start, boxed = opened.pop()
            if boxed:
                yield start, match.start()
