"""The repetition detector beside other rules on labelled outputs: `python -m tests.speed.collapse FILE.jsonl.gz`.

Rows are {output, label (healthy | collapsed | unsure)}, and `loop.start_char` where a verbatim loop begins. The other rules
are implemented here from their descriptions: exact periods of 4 to 128 tokens, four times (vLLM's repetition detection);
zlib's ratio over the last 8 KB; a chunk of 50 characters that comes ten times within five times its length (Gemini CLI's).
Tokens are the detector's units, about a token each.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
import tracemalloc
import zlib
from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate
from statistics import median
from typing import Any

from core.collapse import Detector
from core.collapse.detector import RECURRING_SHARE
from core.collapse.slow_rules import noisy_lag
from core.collapse.units import CODES, UNITS
from core.results.stats import wilson

Rule = Callable[[str], int | None]
"""From an output to the character at which it counts as collapsed; None where it does not."""


def ours(text: str) -> int | None:
    """The project's detector."""
    detector = Detector()
    detector.feed(text)
    detector.finish()
    return detector.verdict.position


def exact_periods(text: str, shortest: int = 4, longest: int = 128, times: int = 4) -> int | None:
    """Tokens equal those one period back for (times - 1) periods."""
    pieces = UNITS.findall(text)
    codes = [CODES[piece] for piece in pieces]
    runs = [0] * (longest + 1)
    end = 0
    for index, code in enumerate(codes):
        end += len(pieces[index])
        for period in range(shortest, min(longest, index) + 1):
            runs[period] = runs[period] + 1 if codes[index - period] == code else 0
            if runs[period] >= (times - 1) * period:
                return end
    return None


def zlib_ratio(text: str, window: int = 8_192, ratio: float = 10.0, step: int = 512) -> int | None:
    """The last 8 KB compress to a tenth."""
    data = text.encode("utf-8", "surrogatepass")
    for end in range(window, len(data) + 1, step):
        if window >= ratio * len(zlib.compress(data[end - window : end])):
            return len(data[:end].decode("utf-8", "ignore"))
    return None


def chunk_counter(text: str, size: int = 50, times: int = 10) -> int | None:
    """A chunk of 50 characters comes ten times, on average at most five chunks' length apart."""
    seen: dict[str, list[int]] = {}
    for start in range(len(text) - size + 1):
        places = seen.setdefault(text[start : start + size], [])
        places.append(start)
        if len(places) >= times and start - places[-times] <= (times - 1) * size * 5:
            return start + size
    return None


RULES: dict[str, Rule] = {
    "lrm-tui": ours,
    "exact periods 4-128, four times": exact_periods,
    "zlib over 8 KB, ratio 10": zlib_ratio,
    "chunks of 50, ten times": chunk_counter,
}


def main() -> None:
    """Print a line for each rule."""
    with gzip.open(sys.argv[1], "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    for row in rows:
        row["ends"] = list(accumulate(map(len, UNITS.findall(row["output"]))))
    tokens = sum(len(row["ends"]) for row in rows)
    for name, rule in RULES.items():
        began = time.perf_counter()
        for row in rows:
            row["position"] = rule(row["output"])
        print(name, report(rows), f"{(time.perf_counter() - began) / tokens * 1e6:.2f} us a token", sep=" | ", flush=True)
    print(f"lrm-tui keeps {stream_bytes(rows):,} bytes for the longest of these outputs")
    print(margins([row["output"] for row in rows if row["label"] == "healthy"]))


def report(rows: list[dict[str, Any]]) -> str:
    """Recall, false stops with the upper end of their interval, delay from the loop's start, tokens saved."""
    loops = [row for row in rows if row["label"] == "collapsed"]
    healthy = [row for row in rows if row["label"] == "healthy"]
    found = [row for row in loops if row["position"] is not None]
    false = sum(row["position"] is not None for row in healthy)
    interval = wilson(false, len(healthy))
    assert interval is not None
    delays = [_at(row, row["position"]) - _at(row, row["loop"]["start_char"]) for row in found if row.get("loop")]
    saved = sum(len(row["ends"]) - _at(row, row["position"]) for row in found)
    return (
        f"found {len(found)} of {len(loops)} | false stops {false} of {len(healthy)} (95 %: up to {100 * interval[1]:.2f} %) | "
        f"delay {median(delays) if delays else float('nan'):,.0f} tokens (median) | "
        f"saved {100 * saved / sum(len(row['ends']) for row in loops):.0f} % of the loops' tokens"
    )


def _at(row: dict[str, Any], character: int) -> int:
    return bisect_left(row["ends"], character)


def stream_bytes(rows: list[dict[str, Any]]) -> int:
    """What one detector keeps in memory after the longest healthy output."""
    text = max((row["output"] for row in rows if row["label"] == "healthy"), key=len)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    detector = Detector()
    for at in range(0, len(text), 100):
        detector.feed(text[at : at + 100])
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return used


def margins(healthy: list[str]) -> str:
    """How near healthy outputs come to each threshold, looked at after every 100 characters."""
    once = twice = likeness = 0.0
    run = 0
    for text in healthy:
        detector = Detector()
        for at in range(0, len(text), 100):
            detector.feed(text[at : at + 100])
            once = max(once, detector._once / detector.windows.near)
            twice = max(twice, detector._repeated / detector.windows.near)
            run = max(run, detector._run)
            if detector._once >= RECURRING_SHARE * detector.windows.near:
                likeness = max(likeness, noisy_lag(detector._units, detector.windows)[1])
    return (
        f"healthy outputs at most: n-grams seen once {100 * once:.0f} %, twice {100 * twice:.0f} %; "
        f"verbatim {run} units; likeness under noise {100 * likeness:.0f} %"
    )


if __name__ == "__main__":
    main()
