"""Our graders beside other people's: math-verify for AIME, torchmetrics' SQuAD for EM and F1; and answers made to break them."""

from __future__ import annotations

import gzip
import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.base import DataSource, Item
from benchmarks.metrics import exact_match, f1
from benchmarks.parts import split
from benchmarks.registry import get

NAMES = ("aime", "folio", "temporal", "musique")
WORDS = st.sampled_from(["the", "The", "a", "an", "Apple", "apple", "corps", "Corps.", "U.S.", "é", "-", "'s", "42", "(x)"])


def traces(folder: Path, task: str) -> list[tuple[int, str]]:
    """(row, answer part) of the published outputs."""
    with gzip.open(folder / "traces_shared.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["task"] == task]
    found = []
    for row in rows:
        reason = "length" if row["label"] == "collapsed" else "stop"
        found.append((int(re.findall(r"(\d+)\.txt$", row["path"])[0]), split(row["output"], reason).answer))
    return found


def test_aime_agrees_with_math_verify_on_the_published_outputs(real_data: Path) -> None:
    verify = pytest.importorskip("math_verify")
    items = get("aime").load(DataSource(real_data))
    for row, answer in traces(real_data, "AIME_2024"):
        theirs = verify.verify(verify.parse(items[row].gold[0]), verify.parse(answer))
        assert bool(get("aime").grade(answer, items[row]).correct) == theirs, row


@pytest.mark.parametrize(
    "answer",
    [
        "\\boxed{33}",
        "The answer is $033$.",
        "\\boxed{\\frac{66}{2}}",
        "\\boxed{33.0}",
        "\\boxed{-33}",
    ],
)
def test_aime_beside_math_verify_on_hard_endings(answer: str) -> None:
    """They differ where AIME's form differs from algebra: an unreduced fraction is no integer from 0 to 999."""
    verify = pytest.importorskip("math_verify")
    theirs = verify.verify(verify.parse("33"), verify.parse(answer))
    ours = get("aime").grade(answer, Item("1", {}, ("33",))).correct
    assert ours == theirs or "frac" in answer


@given(st.lists(st.tuples(st.lists(WORDS, max_size=6), st.lists(WORDS, min_size=1, max_size=6)), min_size=1, max_size=20))
def test_em_and_f1_agree_with_torchmetrics(pairs: list[tuple[list[str], list[str]]]) -> None:
    """Over texts whose gold answer keeps a word after normalisation; SQuAD's script scores empty ones apart."""
    squad = pytest.importorskip("torchmetrics.functional.text").squad
    for answer, gold in pairs:
        said, right = " ".join(answer), " ".join(gold)
        theirs = squad([{"prediction_text": said, "id": "1"}], [{"answers": {"answer_start": [0], "text": [right]}, "id": "1"}])
        assert exact_match(said, [right]) == pytest.approx(float(theirs["exact_match"]) / 100)
        if f1(right, [right]) and re.search(r"\w", re.sub(r"\b(?:the|an?)\b", "", right.lower())):
            assert f1(said, [right]) == pytest.approx(float(theirs["f1"]) / 100)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        " " * 1_000_000,
        "\n" * 1_000_000,
        "answer" + "\n" * 1_000_000,
        "answer " * 140_000,
        "\\boxed{" * 140_000,
        "{" * 500_000 + "}" * 500_000,
        "**" * 500_000,
        "(" * 1_000_000,
        "9" * 1_000_000,
        "9," * 500_000,
        "The conclusion is " * 55_000,
        "conclusion is a a a a a a a a a a a a" * 27_000,
        "answer: not (A) (B) " * 50_000,
        "(B) " * 250_000,
        "\u0301" * 1_000_000,
        "的答案" * 333_333,
        "The answer is \\boxed{" + "x" * 1_000_000 + "}",
        "A, B and C are " * 66_000,
        "not (A), (C) or " * 62_000,
        "(A) no, (B) yes. " * 60_000,
        "from 7 to 9 pm, 19:00-" * 45_000,
        "**a** is **b** " * 66_000,
        "\\text{" * 160_000,
        "the answer to the answer of " * 35_000,
        "based on the based on " * 45_000,
        '"' * 1_000_000,
        "if it is not true that " * 43_000,
        "J. J. St. " * 100_000,
        "1,000,000 = 2^{3}! " * 52_000,
        "答案：是" * 250_000,
        "wait, no, actually " * 52_000,
        "Answer: J. is the A who is, a b " * 31_000,
        "\n(A) x" * 160_000,
    ],
    ids=range(34),
)
@pytest.mark.parametrize("name", NAMES)
def test_a_million_characters_take_seconds_at_most(name: str, answer: str) -> None:
    item = Item("1", {"input": "(A) 1pm to 2pm\n(B) 2pm to 3pm", "conclusion": "c"}, ("1",))
    began = time.process_time()
    get(name).grade(answer, item)
    assert time.process_time() - began < 5, "no pattern may be worse than linear in the length of an answer"


def test_aliases_count(real_data: Path) -> None:
    item = next(i for i in get("musique").load(DataSource(real_data)) if len(i.gold) > 2)
    for alias in item.gold:
        assert get("musique").grade(f"**Answer:** The {alias}.", item).em == 1
