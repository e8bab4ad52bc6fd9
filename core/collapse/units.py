"""Text as units of about a token, and units as 32-bit codes from which numbers can be read back."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
# Every alternative is bounded and looks at one character beyond its match at most, so a match that does not touch the
# end of the text is final: `Detector.feed` relies on both.
UNITS = re.compile(rf" ?[^\W\d_{_CJK}]{{1,16}}| ?\d{{1,3}}|[{_CJK}]| ?(?:[^\w\s]|_){{1,4}}|\s{{1,16}}|.", re.DOTALL)

NUMBERS = 1 << 13
"""Codes below this are numbers of one to three digits: value, 1,000 x (digits - 1), and 4,000 for a space before."""

_KNOWN_UNITS = 16_384


class _Codes(dict[str, int]):
    """The code of each unit, the same in every process, cached for the units met most recently."""

    def __missing__(self, unit: str) -> int:
        if len(self) >= _KNOWN_UNITS:
            self.clear()
        code = self[unit] = _code(unit)
        return code


def _code(unit: str) -> int:
    digits = unit.lstrip(" ")
    if digits.isdecimal():
        return int(digits) + 1000 * (len(digits) - 1) + 4000 * (unit[0] == " ")
    return zlib.crc32(unit.encode("utf-8", "surrogatepass")) | NUMBERS


CODES = _Codes()


def numbers_apart(codes: Sequence[int]) -> tuple[list[int], list[int]]:
    """Codes with every whole number replaced by 0, and the numbers themselves (0 elsewhere): two lists of equal length."""
    skeleton: list[int] = []
    values: list[int] = []
    in_number = False
    for code in codes:
        if code >= NUMBERS:
            skeleton.append(code)
            values.append(0)
            in_number = False
            continue
        spaced, rest = divmod(code, 4000)
        width, value = divmod(rest, 1000)
        if in_number and not spaced:
            values[-1] = values[-1] * 10 ** (width + 1) + value
        else:
            skeleton.append(0)
            values.append(value)
        in_number = True
    return skeleton, values
