"""Filters of responses, and the line of text that screens and commands write them as."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

from core.errors import UsageError
from core.store.search import expression
from core.text import nearest

Verdict = Literal["all", "correct", "wrong", "unparsed", "looped", "reviewed"]
Order = Literal["newest", "oldest", "longest", "shortest"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
ORDERS: tuple[Order, ...] = get_args(Order)


@dataclass(frozen=True, slots=True)
class ResponseFilter:
    """Which responses, in which order. `variant` is a part of "MODEL COMPRESSION"; words count thinking and answer."""

    verdict: Verdict = "all"
    job: int | None = None
    variant: str = ""
    benchmark: str = ""
    item: str = ""
    ending: str | None = None
    min_words: int | None = None
    max_words: int | None = None
    search: str = ""
    order: Order = "newest"


SETTINGS = ("job", "variant", "benchmark", "item", "ending", "words")
_UNKNOWN = re.compile(r"[a-z]+(?=:[^\s/])")
_PARTS = re.compile(r'(?:[a-z]+:)?"[^"]*"?|\S+')


def parse(typed: str, base: ResponseFilter | None = None) -> ResponseFilter:
    """A line such as `wrong benchmark:aime words:>2000 "at least two"`: verdicts and orders bare, settings by name, else text.

    Raises UsageError where a value makes no sense, or for a setting that does not exist.
    """
    selection, text = base or ResponseFilter(), []
    for part in _PARTS.findall(typed):
        name, colon, value = part.partition(":")
        value = value.strip('"')
        if part in VERDICTS:
            selection = replace(selection, verdict=VERDICTS[VERDICTS.index(part)])
        elif part in ORDERS:
            selection = replace(selection, order=ORDERS[ORDERS.index(part)])
        elif colon and name == "variant":
            selection = replace(selection, variant=value)
        elif colon and name == "benchmark":
            selection = replace(selection, benchmark=value)
        elif colon and name == "item":
            selection = replace(selection, item=value)
        elif colon and name == "ending":
            selection = replace(selection, ending=value or None)
        elif colon and name == "job":
            selection = replace(selection, job=_number(part, value))
        elif colon and name == "words":
            bound = _number(part, value.lstrip("<>="))
            below = value.startswith("<")
            selection = replace(selection, max_words=bound) if below else replace(selection, min_words=bound)
        elif unknown := _UNKNOWN.match(part):
            problem = f"There is no filter {unknown[0]}:.{nearest(unknown[0], SETTINGS)}"
            raise UsageError(problem, f'Put "{part}" in quotes to search for it.')
        else:
            text.append(part)
    search = " ".join(text)
    if search:
        expression(search)
    return replace(selection, search=search)


def doubt(selection: ResponseFilter) -> str:
    """A sentence where a word that is searched in the texts looks like a verdict or an order; else empty."""
    for part in _PARTS.findall(selection.search):
        if meant := nearest(part, (*VERDICTS, *ORDERS)):
            return f"{part!r} is searched in the texts.{meant}"
    return ""


def _number(part: str, value: str) -> int:
    if not value.isdecimal():
        raise UsageError(f"{part} has no whole number.", "Write job:12, words:>2000 or words:<50.")
    return int(value)


def written(selection: ResponseFilter) -> str:
    """The line that `parse` reads as this."""
    parts: list[str] = [selection.verdict if selection.verdict != "all" else ""]
    for name in ("job", "variant", "benchmark", "item", "ending"):
        value = str(getattr(selection, name) or "")
        quoted = f'"{value}"' if " " in value else value
        parts += [f"{name}:{quoted}"] if value else []
    parts += [f"words:>{selection.min_words}" if selection.min_words is not None else ""]
    parts += [f"words:<{selection.max_words}" if selection.max_words is not None else ""]
    parts += [_as_text(part) for part in _PARTS.findall(selection.search)]
    parts += [selection.order if selection.order != "newest" else ""]
    return " ".join(part for part in parts if part)


def _as_text(part: str) -> str:
    """A piece of a search in quotes where it would be read as a setting."""
    name, colon, _ = part.partition(":")
    setting = part in (*VERDICTS, *ORDERS) or (colon and name in SETTINGS) or _UNKNOWN.match(part)
    return f'"{part}"' if setting and '"' not in part else part
