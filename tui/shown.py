"""How values look on the screen. Text from models, files and errors passes through `safe` or `lines`."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.text import Text

from core.store.snapshot import JobRow
from core.text import printable

STATE_STYLES = {
    "running": "bold green",
    "queued": "",
    "paused": "yellow",
    "done": "dim",
    "failed": "bold red",
    "cancelled": "dim",
}
UNKNOWN = "–"
_EIGHTHS = " ▏▎▍▌▋▊▉"
_BARS = "▁▂▃▄▅▆▇█"


def safe(text: object, style: str = "") -> Text:
    """One line of untrusted text, without control characters and markup."""
    return Text(printable(str(text)), style=style, no_wrap=True, overflow="ellipsis", end="")


def right(text: object, style: str = "") -> Text:
    """Like `safe`, right-aligned."""
    shown = safe(text, style)
    shown.justify = "right"
    return shown


def lines(text: object, style: str = "") -> Text:
    """Untrusted text of several lines, wrapped where it is drawn."""
    return Text(printable(str(text), keep_newlines=True), style=style)


def number(value: float | None, digits: int = 1) -> str:
    """A number with `digits` decimals, or a dash for None."""
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def interval(bounds: Sequence[float] | None) -> str:
    """A confidence interval in percent, or an empty text."""
    return "" if not bounds else f"{bounds[0]:.0f}–{bounds[1]:.0f}"


def duration(seconds: float | None) -> str:
    """Seconds as minutes, hours or days, in at most six characters; a dash for None."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, round(seconds))
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02}"
    return f"{whole // 3600}h{whole % 3600 // 60:02}" if whole < 360_000 else f"{whole // 86_400}d"


def progress(done: int, total: int | None, room: int) -> Text:
    """A bar and a count, such as `██▌ 12/60`, in `room` cells; a long count shortens the bar."""
    if not total:
        return safe(str(done) if done else UNKNOWN)
    width = min(3, room - len(f" {done}/{total}"))
    if width <= 0:
        return safe(f"{done}/{total}")
    eighths = round(min(1.0, done / total) * width * 8)
    bar = ("█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")).ljust(width)
    shown = safe("")
    shown.append(bar, "green on grey23").append(f" {done}/{total}")
    return shown


def spark(levels: Sequence[float], width: int, top: float = 1.0) -> str:
    """The last `width` values as bars, of which the highest stands for `top`."""
    return "".join(_BARS[max(0, min(7, round(7 * value / top) if top else 0))] for value in levels[-width:]).rjust(width)


def size(count: float) -> str:
    """Bytes with a unit, such as `1.4 GiB`, in at most eight characters."""
    unit, *larger = ("B", "KiB", "MiB", "GiB", "TiB")
    while count >= 1000 and larger:
        count, unit = count / 1024, larger.pop(0)
    return f"{count:.0f} {unit}" if count >= 100 or unit == "B" else f"{count:.1f} {unit}"


def variant(job: JobRow) -> str:
    """The name of a variant: model and compression."""
    return f"{job.model} {job.compression}"


def job_name(job: JobRow) -> str:
    """The name of a job in questions and messages."""
    what = f"on {job.benchmark}" if job.benchmark else "(preparation)"
    return f"job {job.id}: {variant(job)} {what}"


def eta(job: JobRow) -> str:
    """The time that a job still takes, or a dash."""
    return duration(job.eta_s(time.time()))
