"""The mini-suite: deterministic, disjoint, and its gold answers found again by other means."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.base import DataSource
from benchmarks.pocket import arithmetic, facts, logic, temporal, tokenizer, weights_dir
from benchmarks.pocket.sample import Sample, draw, draw_many
from benchmarks.pocket.suite import SUITE

KINDS = (temporal, logic, arithmetic, facts)


def _hour(text: str) -> int:
    match = re.fullmatch(r"(\d+)([ap])m", text)
    assert match
    return int(match[1]) % 12 + (12 if match[2] == "p" else 0)


def solve_temporal(fields: dict[str, str]) -> str:
    text = fields["input"]
    woke, closed = re.search(r"woke up at (\w+)", text), re.search(r"closed after (\w+)", text)
    assert woke and closed
    free = set(range(_hour(woke[1]), _hour(closed[1])))
    for start, end in re.findall(r" saw .* from (\w+) to (\w+)\.$", text, re.MULTILINE):
        free -= set(range(_hour(start), _hour(end)))
    options = re.findall(r"\((.)\) (\w+) to (\w+)", text)
    return next(letter for letter, a, b in options if set(range(_hour(a), _hour(b))) == free)


def solve_logic(fields: dict[str, str]) -> str:
    who = fields["conclusion"].split()[0]
    known: set[str] = set()
    rules = []
    for line in fields["premises"].split("\n"):
        rule = re.match(r"(?:All|If someone is|Everyone who is) (\w+)(?: people are| then they are| is) (.+)\.", line)
        if rule:
            rules.append((rule[1], rule[2]))
        else:
            known.add(line.removeprefix(f"{who} is known to be ").rstrip("."))
    while True:
        new = {then for when, then in rules if when in known} - known
        if not new:
            break
        known |= new
    asked = fields["conclusion"].removeprefix(f"{who} is ").rstrip(".")
    opposite = asked.removeprefix("not ") if asked.startswith("not ") else f"not {asked}"
    return "True" if asked in known else "False" if opposite in known else "Uncertain"


def solve_arithmetic(fields: dict[str, str]) -> str:
    expression = ""
    signs = {"Start with": "", "Add": "+", "Subtract": "-", "Multiply by": "*"}
    for verb, number in re.findall(r"(Start with|Add|Subtract|Multiply by) (\d+)", fields["problem"]):
        expression = f"({expression}{signs[verb]}{int(number)})"
    return str(eval(expression))


def solve_facts(fields: dict[str, str]) -> str:
    match = re.fullmatch(r"What is the (\w+) of the (\w+) of (\w+)\?", fields["question"])
    assert match
    return facts.world()[match[1], facts.world()[match[2], match[3]]]


SOLVERS = dict(zip(KINDS, (solve_temporal, solve_logic, solve_arithmetic, solve_facts), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_gold_is_right(kind: object) -> None:
    generate: Callable[[random.Random], Sample] = kind.generate  # type: ignore[attr-defined]
    rng = random.Random(7)
    for _ in range(300):
        sample = generate(rng)
        assert SOLVERS[kind](dict(sample.fields)) == sample.gold  # type: ignore[index]


@pytest.mark.parametrize("kind", KINDS)
def test_splits_never_meet(kind: object) -> None:
    generate: Callable[[random.Random], Sample] = kind.generate  # type: ignore[attr-defined]
    tested = {sample.digest for sample in draw_many(generate, 0, "test", 30)}
    rng = random.Random(3)
    assert tested.isdisjoint(draw(generate, rng, "train").digest for _ in range(300))
    assert [s.digest for s in draw_many(generate, 0, "test", 10)] == [s.digest for s in draw_many(generate, 0, "test", 10)]


def test_solutions_are_graded_right() -> None:
    """Every trace's own answer part gets full marks from the real benchmarks' graders."""
    for cls, kind in zip(SUITE, KINDS, strict=True):
        sample = draw(kind.generate, random.Random(5), "test")
        grade = cls().grade(sample.answer, sample.item())
        assert grade.correct or grade.em == 1


def test_suite_is_seeded() -> None:
    for cls in SUITE:
        first, again = cls().load(DataSource(seed=1)), cls().load(DataSource(seed=1))
        assert first == again
        assert len(first) >= 40


CODER = tokenizer.build()


@given(st.text(max_size=200))
def test_any_text_survives_the_tokenizer(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    ids = CODER(text, add_special_tokens=False).input_ids
    assert CODER.decode(ids) == text


def test_a_word_is_one_token_wherever_it_stands() -> None:
    ask = [{"role": "user", "content": "Ada saw Hugo.\nHugo woke up at 11am.\n(A) 7am"}]
    tokens = CODER.convert_ids_to_tokens(CODER(CODER.apply_chat_template(ask, tokenize=False)).input_ids)
    assert tokens.count("ĠHugo") == 2 and "ĠAda" in tokens
    assert tokens.count("11") == 1 and tokens.count("am") == 2


def test_numbers_of_sums_are_single_digits() -> None:
    """Hours above 9 are tokens of their own; no sum's question or trace may run into them."""
    rng = random.Random(2)
    for _ in range(200):
        sample = arithmetic.generate(rng)
        ids = CODER(f"{sample.fields['problem']}\n{sample.thinking}{sample.answer}").input_ids
        assert not {"10", "11", "12"} & set(CODER.convert_ids_to_tokens(ids))


def test_the_shipped_tokenizer_is_the_built_one() -> None:
    from transformers import PreTrainedTokenizerFast

    shipped = PreTrainedTokenizerFast.from_pretrained(weights_dir())
    assert shipped.get_vocab() == CODER.get_vocab()
    assert shipped.chat_template == CODER.chat_template
