"""The integer that an expression in a box or a statement stands for; what is no integer is none.

Plain digits are read here. Fractions, surds, powers, factorials and binomials go to math-verify, but only where the
expression is small: its own clock uses signals, which work in a process's main thread alone, and graders run in others.
"""

from __future__ import annotations

import logging
import re
import threading
import unicodedata

_NESTED = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
_TEXT = re.compile(
    r"\\(?:text|mbox|hbox|textrm|mathrm|textnormal|operatorname|textit|mathit|mathsf|texttt|mathtt)\s*\{([^{}]*)\}(\s*\^\s*(?:\{[^{}]{0,9}\}|\w))?"
)
_STYLE = re.compile(
    r"\\(?:textbf|mathbf|boldsymbol|bm|underline|overline|emph|boxed|fbox|displaystyle|textstyle|large|Large|huge|bf)(?![a-zA-Z])\s*"
    r"|\\(?:text)?color\s*\{[^{}]*\}"
)
_THIN = re.compile(
    r"\\(?:[,;:!> ]|quad|qquad|left|right|big+[lr]?|Big+[lr]?|checkmark|square|blacksquare|qed|%|\$)(?![a-zA-Z])|[$~]"
    r"|\\[()\[\]]"
)
_DEGREES = re.compile(r"\^\s*\{?\s*\\circ\s*\}?|\\degree|[°%✓✔]")
_REMAINDER = re.compile(r"\(\s*(?:mod(?:ulo)?)\s*\d+\s*\)|\\pmod\s*\{?\s*\d+\s*\}?|,?\s*\\mod\s*\{?\s*\d+\s*\}?")
_MOD = re.compile(r"^(\d{1,12})\s*(?:\\bmod|mod(?:ulo)?)\s*\{?\s*(\d{1,9})\s*\}?$")
_BASE = re.compile(r"_\s*(?:\{\s*10\s*\}|\{\s*\\?(?:text)?\{?ten\}?\s*\})")
_THOUSANDS = re.compile(r"(?<![\d.,])(\d{1,3}(?:(?:,\\!|,|\{,\}|\\,|\\;|\\ |\s|'|\u202f|\u00a0|_)\d{3}){1,9})(?![\d])")
_BETWEEN = re.compile(r"\s*(?:=|\\approx|≈|\\equiv|≡|\\Rightarrow|\\rightarrow|\\implies|\\to(?![a-z])|→|⇒)\s*")
_UNIT = re.compile(r"(?<=\d)\s*(?:[A-Za-z²³/.-]*[A-Za-z]{2,}[A-Za-z²³/.\s-]*|\s[mgshLNJ]|[²³])(?:\s*\^\s*\{?\d\}?|\d)?\s*$")
_INTEGER = re.compile(r"\+?(\d+)(?:\.0*)?")
_SYMBOLS = {"−": "-", "–": "-", "×": "*", "·": "*", "⋅": "*", "÷": "/", "√": "\\sqrt", "²": "^2", "³": "^3"}
_COMMANDS = frozenset(
    ("frac", "dfrac", "tfrac", "cfrac", "sqrt", "cdot", "times", "div", "binom", "dbinom", "lfloor", "rfloor", "lceil", "rceil")
)
_ALLOWED = re.compile(r"(?:\\[a-zA-Z]+|[\d\s+\-*/(){}\[\]^!.])*")
_POWER = re.compile(
    r"\^\s*(?:\{\s*-?\s*(\d{1,2})\s*\}|(\d)|\{\s*(?:\\[dt]?frac\s*\{?\s*\d\s*\}?\s*\{?\s*\d\s*\}?|\d\s*/\s*\d)\s*\})"
)
_REMARK = "\0"
"""Stands where a remark begins: what follows it is not the answer."""
LONGEST, DEEPEST, LARGEST = 160, 12, 10**12
"""Characters and nesting of an expression that is evaluated, and the value it may have."""
_LOCK = threading.Lock()


def without_separators(text: str) -> str:
    """A text whose numbers have no separators of thousands."""
    return _THOUSANDS.sub(lambda match: re.sub(r"\D", "", match[1]), text)


def digits(text: str) -> str:
    """A numeral of any script in plain digits, without leading zeros."""
    return "".join(str(unicodedata.digit(character)) for character in text).lstrip("0") or "0"


def integer(text: str) -> str | None:
    """The integer that an expression stands for (LaTeX or plain); the last of a chain of equations, never one of several."""
    if len(text) > LONGEST and not text.strip().isdecimal():
        text = text[:2_000]
    expression = _bare(text)
    parts = [part for part in re.split(r"[,;]|\band\b", expression) if re.search(r"\d", part)]
    if re.search(r"\bor\b|\\pm|\\mp|±", expression):
        return None
    equations = [part for part in parts if _BETWEEN.search(part)]
    if len(parts) > 1 and not equations:
        return None
    chosen = (equations or parts or [""])[-1]
    sides = [side for side in _BETWEEN.split(chosen) if re.search(r"\d", side)]
    return _value(sides[-1]) if sides else None


def _bare(text: str) -> str:
    """An expression without markup, remarks and units."""

    def worded(match: re.Match[str]) -> str:
        inner = match[1].strip()
        if re.fullmatch(r"[\d\s.,+\-/()=!]+", inner) or inner in ("or", "and"):
            return f" {inner} {match[2] or ''}"
        if inner.startswith(("(", ",", "since", "because", "where")):
            return _REMARK
        number = re.search(r"(?:^|[:=\s])(-?\d[\d,]*)\s*[.]?$", inner) or re.match(r"(-?\d[\d,]*)\s*[A-Za-z°%/ ]+$", inner)
        return f" {number[1]}" if number and not re.search(r"\bmod|\bnot\b", inner) else " "

    text = without_separators(text)
    text = _STYLE.sub(" ", text)
    text = _TEXT.sub(worded, text)
    before, _, behind = text.partition(_REMARK)
    text = before if re.search(r"\d", before) else behind.replace(_REMARK, " ")
    text = _BASE.sub("", _DEGREES.sub(" ", _REMAINDER.sub(" ", text)))
    text = _THIN.sub(" ", text)
    text = re.sub(r"\s[(\[](?=[^()\[\]\\]*[A-Za-z]{2})[^()\[\]\\]*[)\]]|^\s*\{?\s*\(?[A-E]\)\s*\}?(?=\s*\d)", " ", text)
    text = without_separators(text)
    return text.strip(" .*_`")


def _value(side: str) -> str | None:
    """The integer that one side of an equation is."""
    side = _UNIT.sub("", side.strip()).strip(" .*_`")
    while re.fullmatch(r"\{[^{}]*\}|\([^()]*\)|\[[^\[\]]*\]|\\\{[^{}]*\\\}", side):
        side = side.strip("\\")[1:-1].strip("\\ ")
    if plain := _INTEGER.fullmatch(side):
        return digits(plain[1])
    if mod := _MOD.match(side):
        return str(int(mod[1]) % int(mod[2])) if int(mod[2]) else None
    if re.search(r"\d", side) is None:
        return None
    return _evaluated(side)


def small(expression: str) -> bool:
    """Whether an expression is built of known parts so small that evaluating it takes no time."""
    powers = _POWER.findall(expression)
    product = 1
    for braced, single, *_ in powers:
        product *= max(1, int(braced or single or 1))
    return (
        len(expression) <= LONGEST
        and _depth(expression) <= DEEPEST
        and _ALLOWED.fullmatch(expression) is not None
        and set(re.findall(r"\\([a-zA-Z]+)", expression)) <= _COMMANDS
        and max(map(len, re.findall(r"\d+", expression)), default=0) <= 9
        and expression.count("^") == len(powers)
        and product <= 100
        and expression.count("!") == len(re.findall(r"(?<!\d)\d{1,3}\s*!(?![!^])", expression))
        and not re.search(r"binom(?!\s*\{\s*\d{1,3}\s*\}\s*\{\s*\d{1,3}\s*\})", expression)
        and not re.search(r"\d\s*\\[dt]?frac|\d\s+\d", expression)
    )


def _depth(expression: str) -> int:
    deepest = depth = 0
    for character in expression:
        depth += (character in "{([") - (character in "})]")
        deepest = max(deepest, depth)
    return deepest


def _evaluated(expression: str) -> str | None:
    """An expression's value by math-verify, where it is a whole number from 0 on; None where it is too large to try."""
    for symbol, plain in _SYMBOLS.items():
        expression = expression.replace(symbol, plain)
    expression = re.sub(r"\\sqrt\s*(\d+)", r"\\sqrt{\1}", expression)
    expression = re.sub(r"\\([dt]?frac|binom)\s*(\d)\s*(\d)(?!\d)", r"\\\1{\2}{\3}", expression)
    if not small(expression):
        return None
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    from math_verify import LatexExtractionConfig, parse

    with _LOCK:
        try:
            parsed = parse(f"${expression}$", extraction_config=[LatexExtractionConfig()], parsing_timeout=None)
            value = parsed[0].doit() if parsed and not isinstance(parsed[0], str) else None
            number = None if value is None else value.evalf(40)
            if number is None or not number.is_real or not -0.5 < number < LARGEST:
                return None
            nearest = round(number)
            return str(int(nearest)) if abs(number - nearest) < 1e-25 else None
        except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, NotImplementedError, RecursionError):
            return None
