"""The mini-suite: deterministic, disjoint, and its gold answers found again by other means."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.base import DataSource
from benchmarks.pocket import arithmetic, facts, logic, temporal, weights_dir
from benchmarks.pocket.sample import Sample, draw, draw_many
from benchmarks.pocket.suite import SUITE, TRAINING
from benchmarks.pocket.wording import AGAIN
from benchmarks.registry import get, names
from training import tokenizer

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
    return str(eval(expression) % 1000)


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


def test_every_column_of_a_sum_holds() -> None:
    """Each digit follows from its own column and the ones before it, and each line's value from the line before."""
    rng = random.Random(11)
    for _ in range(300):
        sample = arithmetic.generate(rng)
        values = []
        told = sample.thinking.split(AGAIN)[-1]
        for value, operator, operand, work in re.findall(r"\(\d\)(\d{3})([-+*])(\d+):(\S+)", told):
            columns = [re.fullmatch(r"(\d)([-+*])(\d\d?)=(\d)", column) for column in work.split(",")]
            assert all(columns) and len(columns) == 3
            digits, signs, others, results = zip(*(column.groups() for column in columns if column), strict=True)
            assert "".join(reversed(digits)) == value and set(signs) == {operator}
            assert set(others) == {operand} if operator == "*" else "".join(reversed(others)) == operand
            values += [int(value), eval(f"(int(value) {operator} int(operand)) % 1000")]
            assert "".join(reversed(results)) == f"{values[-1]:03}"
        assert values[1:-1:2] == values[2::2] and str(values[-1]) == sample.gold


def test_a_walk_goes_from_premise_to_premise() -> None:
    rng = random.Random(12)
    for _ in range(300):
        sample = logic.generate(rng)
        walk = re.search(r"known to be ([a-z ]+)\.", sample.thinking)
        assert walk
        steps = re.findall(r"(?:not )?[a-z]+", walk[1])
        assert f"known to be {steps[0]}." in sample.fields["premises"]
        for one, other in pairwise(steps[:-1] if steps[-1] == logic.NOTHING else steps):
            assert any(rule.format(a=one, b=other) in sample.fields["premises"].split("\n") for rule in logic.FORMS)
        asked = sample.fields["conclusion"].split(" is ")[1].rstrip(".")
        assert (steps[-1] == logic.NOTHING) == (sample.gold == "Uncertain")
        assert sample.gold == "Uncertain" or steps[-1].removeprefix("not ") == asked.removeprefix("not ")


def test_wordiness_does_not_tell_how_hard_a_question_is() -> None:
    """Terse and wordy traces are as frequent among sums of few steps as among those of many."""
    rng = random.Random(13)
    terse: dict[bool, list[bool]] = {True: [], False: []}
    for _ in range(3000):
        sample = arithmetic.generate(rng)
        steps = sample.fields["problem"].count("(")
        terse[steps > 5].append(sample.thinking.count("\n") == steps + 1)
    shares = [sum(drawn) / len(drawn) for drawn in terse.values()]
    assert abs(shares[0] - shares[1]) < 0.06 and 0.4 < shares[0] < 0.6


def test_the_world_is_large_and_its_recitals_are_true() -> None:
    assert len(facts.world()) >= 850
    for begun, value in facts.recital(random.Random(1), 50):
        relation, entity = re.fullmatch(r" The (\w+) of (\w+) is", begun).groups()  # type: ignore[union-attr]
        assert value.strip(" .") == facts.world()[relation, entity]


@pytest.mark.parametrize("kind", KINDS)
def test_splits_never_meet(kind: object) -> None:
    generate: Callable[[random.Random], Sample] = kind.generate  # type: ignore[attr-defined]
    tested = {sample.digest for sample in draw_many(generate, 0, "test", 30)}
    rng = random.Random(3)
    assert tested.isdisjoint(draw(generate, rng, "train").digest for _ in range(300))
    assert [s.digest for s in draw_many(generate, 0, "test", 10)] == [s.digest for s in draw_many(generate, 0, "test", 10)]


def test_lessons_are_no_test_questions_and_stand_in_no_list() -> None:
    for suite, lessons in zip(SUITE, TRAINING, strict=True):
        taught, asked = ({item.key for item in kind().load(DataSource())} for kind in (lessons, suite))
        assert len(taught) > 1000 and not taught & asked
        assert lessons.name == f"{suite.name}-train" and isinstance(get(lessons.name), lessons)
        assert lessons.name not in names() and lessons.name in names(training=True)


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
        assert len(first) >= 200


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
