"""A store of finished runs, made by the real import: three variants of a model and a hostile one on the mini-suite."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest

from benchmarks.base import DataSource
from benchmarks.registry import get
from core import cli
from core.store.connection import connect

HOSTILE = "m\x1b[2J[/foo]\u202eodel"
NAMES = ("pocket-temporal", "pocket-logic", "pocket-arithmetic", "pocket-facts")
ITEMS = 6
ROUND = "Wait, let me count the days again. One, two, three.\n"
VARIANTS: dict[str, dict[str, Any]] = {
    "none": {"bits_per_weight": 16.0},
    "q4_0": {"bits_per_weight": 4.5},
    "magnitude-50": {"bits_per_weight": 16.0, "sparsity": 50},
}
MISSES = {"none": 6, "q4_0": 5, "magnitude-50": 2}
"""Every so many questions one is answered wrong."""


def filler(words: int) -> str:
    """Text that never repeats."""
    return " ".join(f"step {number * 7919 % 1009} follows from {number * 104729 % 997};" for number in range(words))


def output(compression: str, number: int, gold: str, other: str) -> str:
    """An output whose length grows with the question's number; some are wrong, looped, empty or hostile."""
    thinking = "Let me think [/INST] about [b]dates[/b] and zebras.\n" + filler(number * (3 + len(compression)))
    if compression == "magnitude-50" and number == 3:
        return thinking + ROUND * 60
    if compression == "magnitude-50" and number == 4:
        return ""
    wrong = number % MISSES[compression] == MISSES[compression] - 1
    return f"{thinking}\n</think>\n\nThe answer is {other if wrong else gold}.\x1b[31m"


def rows() -> Iterator[dict[str, Any]]:
    """What is imported."""
    asked = {name: get(name).load(DataSource())[:ITEMS] for name in NAMES}
    for compression, facts in VARIANTS.items():
        for name, items in asked.items():
            for number, item in enumerate(items):
                others = [one.gold[0] for one in items if one.gold[0] != item.gold[0]]
                row = {"model": "tiny", "compression": compression, "benchmark": name, "item": item.key, "parameters": "1M"}
                yield row | facts | {"output": output(compression, number, item.gold[0], others[0])}
    key = asked["pocket-logic"][0].key
    yield {"model": HOSTILE, "benchmark": "pocket-logic", "item": key, "output": "\x1b]0;owned\x07 (C) [/x]"}


def fill(path: Path) -> None:
    """Import into a new store; two verdicts by hand, at a time that is always the same."""
    given = path.with_suffix(".jsonl")
    given.write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    assert cli.main(["import", str(given), "--db", str(path)]) == 0
    assert cli.main(["flag", "3", "--verdict", "wrong", "--note", "guessed [/x]", "--db", str(path)]) == 0
    assert cli.main(["flag", "5", "--note", "look again", "--db", str(path)]) == 0
    connection = connect(path, "user")
    connection.execute("UPDATE reviews SET at = 1e9")
    connection.close()


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once."""
    path = tmp_path_factory.mktemp("library") / "runs.db"
    fill(path)
    return path


@pytest.fixture
def library(filled: Path, tmp_path: Path) -> Path:
    """A copy for each test."""
    return Path(copyfile(filled, tmp_path / "runs.db"))
