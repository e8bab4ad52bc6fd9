"""Novelty: high for new text, nothing for a loop, however the stream is cut."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from core.collapse.repetition import BLOCK, BLOCKS, LEVELS, Novelty


def levels(text: str, cut: int) -> tuple[int, ...]:
    novelty = Novelty()
    for at in range(0, len(text), cut):
        novelty.feed(text[at : at + cut])
    return novelty.levels


@given(st.text(max_size=2000), st.integers(1, 300))
def test_cuts_do_not_matter(text: str, cut: int) -> None:
    assert levels(text, cut) == levels(text, max(1, len(text)))
    assert all(0 <= level <= LEVELS for level in levels(text, cut))


def test_a_loop_has_nothing_new() -> None:
    draw = Random(1)
    text = "".join(draw.choices("abcdefghijklmnop ", k=40 * BLOCK))
    assert levels(text, 50)[-1] == LEVELS
    assert set(levels(text + "So the answer is (B). Wait, " * 400, 50)) == {0} and len(levels(text * 2, 50)) == BLOCKS


def test_real_outputs_stand_apart(real_data: Path) -> None:
    """At the end of collapsed outputs nothing is new; in healthy ones at least something is."""
    with gzip.open(real_data / "traces_shared.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for _, line in zip(range(200), file, strict=False)]
    for row in rows:
        ends = levels(row["output"], 4000)
        if row["label"] == "healthy" and len(ends) > 8:
            assert sum(ends) / len(ends) > 0.8, row["id"]
        elif row["label"] == "collapsed" and "verbatim" in row["why"]:
            assert sum(ends[-8:]) == 0, row["id"]
