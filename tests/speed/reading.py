"""Browsing a large store: `python -m tests.speed.reading RUNS_DB` (made by `tests.speed.big_store`), which is only read.

`keys`: how long the app takes from a key of the Responses pane to the picture with the next row, page or filter, with the
longest time in which its event loop answered nothing meanwhile. `pages` and `search`: the queries alone. Beside the keyset page
in the middle of the list stands the same page by OFFSET, in the same run. `diff`: word_diff beside difflib.
"""

from __future__ import annotations

import asyncio
import difflib
import random
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from core.results.show.word_diff import word_diff
from core.store.browse import Cursor, count, page
from core.store.connection import connect
from core.store.filters import ResponseFilter, parse
from tests.helpers.waiting import eventually
from tui.app import LrmApp
from tui.panes.responses import ResponsesPane

KEYS = 300
BEAT_S = 0.005


def timed(call: Callable[[], object], times: int = 3) -> float:
    """Milliseconds, the best of some."""
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - began)
    return 1000 * best


def queries(path: Path) -> None:
    """Print what pages, counts and searches cost."""
    with closing(connect(path, "reader")) as c:
        most = int(c.execute("SELECT max(id) FROM responses").fetchone()[0])
        middle = Cursor(most // 2, 0)
        print(f"{most:,} responses")
        for line in ("", "wrong", "looped", "unparsed", "longest", "job:3 wrong", "words:>3000 longest", "variant:awq wrong"):
            selection = parse(line)
            print(f"page  {line or 'all':24} {timed(lambda w=selection: page(c, w, 200)):9.1f} ms")
        keyset = timed(lambda: page(c, ResponseFilter(), 200, middle))
        sql = "SELECT id FROM responses WHERE state = 'done' ORDER BY id DESC LIMIT 200 OFFSET ?"
        offset = timed(lambda: c.execute(sql, (most // 2,)).fetchall())
        print(f"page  in the middle {keyset:14.1f} ms; by OFFSET {offset:.1f} ms, {offset / keyset:.0f} times as long")
        print(f"count wrong {timed(lambda: count(c, ResponseFilter('wrong'))):22.1f} ms")
        text = str(c.execute("SELECT text FROM response_texts WHERE response_id = ?", (most // 3,)).fetchone()[0])
        rare = " ".join(text.split()[5:9])
        for what, line in (("rare phrase", f'"{rare}"'), ("common word", "answer"), ("common word, wrong", "wrong answer")):
            selection = parse(line)
            print(f"search {what:23} {timed(lambda w=selection: page(c, w, 200)):9.1f} ms")


async def keys(path: Path) -> None:
    """Print how long keys take to show."""
    app, longest = LrmApp(path, readonly=True), [0.0]

    async def beat() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(BEAT_S)
            longest[0] = max(longest[0], time.perf_counter() - began - BEAT_S)

    async with app.run_test(size=(120, 40)) as pilot:
        while app.snapshot is None:
            await asyncio.sleep(0.05)
        await pilot.press("5")
        pane = app.query_one(ResponsesPane)

        until = partial(eventually, pause=0.001)
        await until(lambda: pane._rows)
        pulse = asyncio.create_task(beat())
        moves: list[tuple[str, int, Callable[[str | None], Callable[[], object]]]] = [
            ("down", KEYS, lambda before: lambda: pane.table.selected != before),
            ("pagedown", 60, lambda before: lambda: pane.table.selected != before),
            ("G", 1, lambda before: lambda: not pane._after),
            ("pageup", 60, lambda before: lambda: pane.table.selected != before),
            ("f", 6, lambda before: lambda: pane._rows and not pane._loading),
        ]
        for key, times, done in moves:
            await pilot.pause()
            longest[0], spent = 0.0, []
            for _ in range(times):
                spent.append(await _press(pilot.press, key, until, done(pane.table.selected)))
            spent.sort()
            tail = spent[min(len(spent) - 1, round(0.99 * len(spent)))]
            print(f"key   {key:10} x {times:3}: median {spent[len(spent) // 2]:6.1f} ms, p99 {tail:6.1f} ms, ", end="")
            print(f"longest without an answer {1000 * longest[0]:.1f} ms")
        pulse.cancel()


async def _press(
    press: Callable[[str], Awaitable[None]],
    key: str,
    until: Callable[[Callable[[], object]], Awaitable[None]],
    true: Callable[[], object],
) -> float:
    began = time.perf_counter()
    await press(key)
    await until(true)
    return 1000 * (time.perf_counter() - began)


def diffs() -> None:
    """Print what a difference of two outputs of 3,000 words costs, here and by difflib."""
    draw = random.Random(1)
    words = [f"w{number}" for number in range(400)]
    one = draw.choices(words, k=3000)
    other = [word if draw.random() < 0.7 else draw.choice(words) for word in one]
    left, right = " ".join(one), " ".join(other)
    ours = timed(lambda: word_diff(left, right))
    theirs = timed(lambda: difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes(), 1)
    print(f"diff  3,000 words {ours:16.1f} ms; difflib {theirs:.1f} ms, {theirs / ours:.0f} times as long")


if __name__ == "__main__":
    queries(Path(sys.argv[1]))
    asyncio.run(keys(Path(sys.argv[1])))
    diffs()
