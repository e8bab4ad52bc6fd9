"""Which responses are meant, and the one line in which screens and commands say so."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

from core.errors import UsageError
from core.store.search import expression

Verdict = Literal["all", "correct", "wrong", "unparsed", "looped", "reviewed"]
Order = Literal["newest", "oldest", "longest", "shortest"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
ORDERS: tuple[Order, ...] = get_args(Order)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which responses, in which order. `variant` is a part of the name of model and compression; words are both parts'."""

    verdict: Verdict = "all"
    job: int | None = None
    variant: str = ""
    benchmark: str = ""
    item: str = ""
    min_words: int | None = None
    max_words: int | None = None
    search: str = ""
    order: Order = "newest"


_PARTS = re.compile(r'(?:[a-z]+:)?"[^"]*"?|\S+')


def parse(typed: str, base: Wanted | None = None) -> Wanted:
    """A line such as `wrong benchmark:aime words:>2000 "at least two"`: verdicts and orders bare, settings by name, else text.

    Raises UsageError where a value makes no sense.
    """
    wanted, text = base or Wanted(), []
    for part in _PARTS.findall(typed):
        name, colon, value = part.partition(":")
        value = value.strip('"')
        if part in VERDICTS:
            wanted = replace(wanted, verdict=VERDICTS[VERDICTS.index(part)])
        elif part in ORDERS:
            wanted = replace(wanted, order=ORDERS[ORDERS.index(part)])
        elif colon and name == "variant":
            wanted = replace(wanted, variant=value)
        elif colon and name == "benchmark":
            wanted = replace(wanted, benchmark=value)
        elif colon and name == "item":
            wanted = replace(wanted, item=value)
        elif colon and name == "job":
            wanted = replace(wanted, job=_number(part, value))
        elif colon and name == "words":
            bound = _number(part, value.lstrip("<>="))
            below = value.startswith("<")
            wanted = replace(wanted, max_words=bound) if below else replace(wanted, min_words=bound)
        else:
            text.append(part)
    search = " ".join(text)
    if search:
        expression(search)
    return replace(wanted, search=search)


def _number(part: str, value: str) -> int:
    if not value.isdecimal():
        raise UsageError(f"{part} has no whole number.", "Write job:12, words:>2000 or words:<50.")
    return int(value)


def written(wanted: Wanted) -> str:
    """The line that `parse` reads as this."""
    parts: list[str] = [wanted.verdict if wanted.verdict != "all" else ""]
    for name in ("job", "variant", "benchmark", "item"):
        value = str(getattr(wanted, name) or "")
        quoted = f'"{value}"' if " " in value else value
        parts += [f"{name}:{quoted}"] if value else []
    parts += [f"words:>{wanted.min_words}" if wanted.min_words is not None else ""]
    parts += [f"words:<{wanted.max_words}" if wanted.max_words is not None else ""]
    parts += [_as_text(part) for part in _PARTS.findall(wanted.search)]
    parts += [wanted.order if wanted.order != "newest" else ""]
    return " ".join(part for part in parts if part)


def _as_text(part: str) -> str:
    """A piece of a search in quotes where it would be read as a setting."""
    setting = part in (*VERDICTS, *ORDERS) or part.partition(":")[0] in ("job", "variant", "benchmark", "item", "words")
    return f'"{part}"' if setting and '"' not in part else part
