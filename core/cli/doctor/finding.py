"""What doctor says of one thing that it has looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `needed` says whether lrm-tui cannot do without it."""

    check: str
    ok: bool
    detail: str
    remedy: str = ""
    needed: bool = True
