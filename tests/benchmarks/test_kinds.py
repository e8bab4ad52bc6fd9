"""Answers written to mislead graders: those of answers.jsonl beside this file, those from outside, and forms by the thousand.

A row of answers.jsonl: benchmark, output (its thinking left out), finish_reason where it was cut, and the right reading (null: none).
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.base import Item
from benchmarks.clock import intervals
from benchmarks.integers import integer, small
from benchmarks.parts import split, was_cut
from benchmarks.registry import get
from benchmarks.sentences import refuses, sentence_ends
from benchmarks.statements import candidates

OWN = [json.loads(line) for line in (Path(__file__).parent / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
OUTSIDE = Path(__file__).resolve().parents[3] / "shared" / "cases" / "graders.jsonl"
THOUGHT = "Maybe 7, or (C), or False, or London? Hmm.\n</think>\n\n"
ITEMS = {
    "aime": Item("1", {}, ("809",)),
    "folio": Item("1", {"premises": "Birds fly.", "conclusion": "Rex can fly."}, ("True",)),
    "temporal": Item("1", {"input": "When?\nOptions:\n(A) 6am to 9am\n(B) 7pm to 9pm\n(C) 1pm to 2pm\n(D) 2pm to 6pm"}, ("B",)),
    "musique": Item("1", {"question": "What company is the record label of Magic Christian Music part of?"}, ("Apple Corps",)),
}


def read(benchmark: str, output: str, reason: str | None = "stop") -> str | None:
    """What is extracted from a whole output."""
    extraction = get(benchmark).extract(split(output, reason).answer, ITEMS[benchmark], was_cut(reason))
    return extraction.answer if extraction else None


@pytest.mark.parametrize("row", OWN, ids=range(len(OWN)))
def test_misleading_answers_are_read_right(row: dict[str, str]) -> None:
    output = row["output"] if row["output"].startswith("<think>") else THOUGHT + row["output"]
    assert read(row["benchmark"], output, row.get("finish_reason", "stop")) == row["expected"]


def test_the_answers_from_outside_are_read_right() -> None:
    """At least 97 % of those that are no matter of taste; the rest is listed."""
    if not OUTSIDE.is_file():
        pytest.skip(f"the answers from outside are not at {OUTSIDE}")
    rows = [row for row in map(json.loads, OUTSIDE.read_text(encoding="utf-8").splitlines()) if not row["taste"]]
    wrong = [r["id"] for r in rows if read(r["benchmark"], r["output"], r["finish_reason"]) != r["expected"]]
    assert len(rows) - len(wrong) >= 0.97 * len(rows), wrong


NUMBER_FORMS = st.sampled_from(
    [
        "\\boxed{{{}}}", "**Answer:** {}", "The answer is {}.", "Final Answer\n\n{}", "Answer: ${}$", "\\boxed{{\\text{{{}}}}}",
        "\\boxed{{m + n = {}}}", "$\\boxed{{{}\\text{{ cm}}^2}}$", "\\boxed{{{}_{{10}}}}", "Antwort: {}", "答案：{}", "The answer to the question is {}.",
        "**The final answer is {}**", "\\boxed {}", "\\fbox{{{}}}", "Answer: {} cm2",
    ]
)  # fmt: skip
REMARKS = st.sampled_from(
    ["", " (confidence: 95%)", ", not 12", " since 12 fails", ". See problem 14.", "; 12 is extraneous", "\n\nCheck: 3 + 4 = 7 parts.", "\n</think>", "<|im_end|>"]
)  # fmt: skip


@settings(deadline=None)
@given(st.integers(0, 999), NUMBER_FORMS, REMARKS)
def test_a_number_is_read_whatever_is_remarked_behind_it(number: int, form: str, remark: str) -> None:
    text = form.format(number)
    assert read("aime", THOUGHT + text + (remark if not text.endswith(".") else remark.lstrip(",;."))) == str(number)


@settings(deadline=None)
@given(
    st.integers(2, 999),
    st.sampled_from(["-{}", "\\frac{{{}}}{{1009}}", "\\sqrt{{{}^2+1}}", "{}.5", "{}\\pi", "({}, 5)", "{}!^2x"]),
    REMARKS,
)
def test_what_is_no_integer_is_none_and_nothing_else_is_taken(number: int, form: str, remark: str) -> None:
    assert read("aime", f"{THOUGHT}\\[\\boxed{{{form.format(number)}}}\\]\n\nStep **3** shows why{remark}") is None


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(1, 12), st.integers(1, 5))
def test_expressions_are_evaluated(value: int, factor: int, root: int) -> None:
    assert integer(f"\\frac{{{value * factor}}}{{{factor}}}") == str(value)
    assert integer(f"\\frac{{\\frac{{{value * factor * 2}}}{{2}}}}{{{factor}}}") == str(value)
    assert integer(f"{value} + \\sqrt{{{root * root}}}") == str(value + root)
    assert integer(f"x = {value}\\cdot {factor}^2") == str(value * factor**2)
    assert integer(f"\\frac{{{value * 1009 + 1}}}{{1009}}") is None


HOSTILE = [
    "9^{9^{9^{9}}}", "(999!)^{99}", "((9^{99})^{99})^{99}", "999999999!", "9!!!!", "\\binom{999999999}{5}", "\\sqrt{" * 30 + "2" + "}" * 30,
    "(" * 5_000 + "1" + ")" * 5_000, "\\frac{1}{0}", "\\frac" * 1_000, "+".join(["999!"] * 200), "1" + "+1" * 50_000, "{" * 100_000, "\\text{" * 50_000,
    "2^{-99}", "0^{0}", "\\sqrt{-1}", "\\lfloor" * 500 + "1", "__import__('os')", "\\input{/etc/passwd}", "=" * 100_000, "9,999" * 20_000, "1e999",
]  # fmt: skip


@pytest.mark.parametrize("expression", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_expressions_end_in_a_thread(expression: str) -> None:
    integer("\\frac{2}{1}")  # what reads expressions is loaded
    answers: list[str | None] = []
    began = time.monotonic()
    thread = threading.Thread(target=lambda: answers.append(read("aime", f"{THOUGHT}\\boxed{{{expression}}}")), daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive() and len(answers) == 1
    assert time.monotonic() - began < 5


@settings(deadline=None)
@given(st.text(alphabet="0123456789+-*/^!(){}\\fracsqtbinoml ", max_size=80))
def test_any_expression_ends(expression: str) -> None:
    answer = integer(expression)
    assert answer is None or answer.isdecimal()
    assert not small("9^{9^{9}}") and not small("x") and small("\\frac{3}{4}")


LETTER_FORMS = st.sampled_from(
    [
        "Answer: ({})", "**Answer: {}**", "The correct answer is ({}).", "\\boxed{{{}}}", "\\boxed{{\\text{{({})}}}}", "Answer: Option {}", "答案：{}", "정답은 {}입니다.",
        "Answer: ({}), since (A), (B), (C) and (D) overlap.", "**({})** is right.", "({})", "Therefore the answer is option ({}), as all others are ruled out.",
    ]
)  # fmt: skip


@settings(deadline=None)
@given(st.sampled_from("ABCD"), LETTER_FORMS, st.booleans())
def test_a_letter_is_read_in_any_form(letter: str, form: str, stray: bool) -> None:
    assert read("temporal", THOUGHT + form.format(letter) + "\n</think>" * stray) == letter


@settings(deadline=None)
@given(
    st.sampled_from("ABCD"),
    st.sampled_from(["{0}: no", "({0}) is ruled out.", "- {0} ❌", "Option {0} is impossible."]),
    st.booleans(),
)
def test_three_options_ruled_out_leave_the_fourth(letter: str, form: str, said: bool) -> None:
    lines = [form.format(other) for other in "ABCD" if other != letter]
    if said:
        lines.append(
            {"{": "{0}: yes", "(": "({0}) is possible.", "-": "- {0} ✅", "O": "Option {0} is possible."}[form[0]].format(
                letter
            )
        )
    assert read("temporal", THOUGHT + "\n".join(lines)) == letter


@settings(deadline=None)
@given(st.integers(0, 22), st.integers(1, 10), st.sampled_from(["to", "until", "-", "–", "and"]))
def test_a_span_of_the_day_is_the_same_in_either_clock(start: int, hours: int, word: str) -> None:
    end = min(23, start + hours)

    def twelve(hour: int, form: str) -> str:
        return form.format(hour % 12 or 12, "am" if hour < 12 else "pm")

    texts = [
        f"{start:02}:00 {word} {end:02}:00",
        *(f"{twelve(start, f)} {word} {twelve(end, f)}" for f in ("{}{}", "{} {}", "{}:00{}", "{}:00 {}")),
    ]
    found = [intervals(f"She went from {text}.") for text in texts]
    assert all(len(one) == 1 and (one[0].start, one[0].end) == (start * 60, end * 60) for one in found), texts


VERDICT_FORMS = st.sampled_from(
    [
        "Answer: {}", "**Final Answer:** The conclusion is {}.", "\\boxed{{\\text{{{}}}}}", "### Answer\n\n{}\n\n### Explanation\n\nPremise 2 is true, premise 3 is false.",
        "The conclusion that every true friend is a dog is {}.", 'The statement "It is false that dogs bark" is {}.', "**{}**\n\nIf it were otherwise, a premise would be **false**.",
        "Answer: {} (assuming that premise 2 is not false).", "**Verdict: {}** — nothing else is true.", "Answer: {}, because it is neither definitely true nor definitely false otherwise.",
    ]
)  # fmt: skip
WORDS = {
    "True": ["True", "TRUE", "not false", "correct"],
    "False": ["False", "false", "not true", "untrue", "incorrect"],
    "Uncertain": ["Uncertain", "unknown", "undetermined", "not certain"],
}


@settings(deadline=None)
@given(st.sampled_from([(verdict, word) for verdict, words in WORDS.items() for word in words]), VERDICT_FORMS)
def test_a_verdict_is_read_in_any_form(said: tuple[str, str], form: str) -> None:
    assert read("folio", THOUGHT + form.format(said[1])) == said[0]


NAMES = st.sampled_from(
    [
        "J. J. Abrams", "J.R.R. Tolkien", "St. Louis County", "Washington, D.C.", "Apple Corps", "Martin Luther King Jr.", "Warner Bros. Records", "São Paulo", "Ludwig van Beethoven",
        "12 March 1968", "March 12, 1968", "$1.2 billion", "Salem, Massachusetts", "O'Higgins", "Sea, Air, and Land",
    ]
)  # fmt: skip
NAME_FORMS = st.sampled_from(
    [
        "Answer: {}", "**Answer:** {}", "The answer is {}.", "**Final Answer:**\n\n**{}**", "\\boxed{{\\text{{{}}}}}", "Réponse : {}", "정답: {}", "The answer to the question is {}.",
        "Answer: {}\n\nExplanation: the answer is supported by a fact.", "- **Label:** Apple Records\n- **Owner:** {}", "The answer is: {}<|im_end|>", "Answer: {}\n</think>",
    ]
)  # fmt: skip


@settings(deadline=None)
@given(NAMES, NAME_FORMS)
def test_a_name_is_read_whole(name: str, form: str) -> None:
    assert read("musique", THOUGHT + form.format(name)) == name


@settings(deadline=None)
@given(
    NAMES.filter(lambda name: name[0].isalpha() and "and" not in name),
    st.sampled_from([", which was founded in 1968", " (founded in 1968)", ", who died there", " because nothing else fits"]),
)
def test_a_remark_behind_a_name_is_left_out(name: str, remark: str) -> None:
    assert read("musique", f"{THOUGHT}Answer: {name}{remark}") == name
    assert read("musique", f"{THOUGHT}The owner of the label is {name}{remark}.") == name


@pytest.mark.parametrize(
    "text",
    [
        "I don't know.",
        "I'm sorry, I cannot answer that.",
        "The exact number is not specified.",
        "Unknown",
        "N/A",
        "It cannot be determined.",
        "我不知道",
        "Je ne sais pas",
    ],
)
def test_a_refusal_is_no_answer(text: str) -> None:
    assert refuses(text)
    for benchmark in ("musique", "aime", "temporal"):
        assert read(benchmark, THOUGHT + text) is None


@pytest.mark.parametrize(
    ("name", "answer", "expected"),
    [("aime", "809", "809"), ("folio", "False", "False"), ("temporal", "(B)", "B"), ("musique", "Apple Corps", "Apple Corps")],
)
@pytest.mark.parametrize(
    ("form", "closed"),
    [
        ("**Answer:** {}\n\nExplanation: we star", True),
        ("\\boxed{{{}}}\n\nIn more det", True),
        ("The answer is {}. In more det", True),
        ("**Answer: {}** as one", True),
        ("Answer: {}", False),
        ("Step one is done.\n\n{}", False),
        ("It is **{}** as one", False),
        ("\\boxed{{{}", False),
        ("\\boxed{{{}}}. Wait, let me check ag", False),
        ("Answer: {}\n\nHmm, is that right? I", False),
    ],
)
def test_of_a_cut_answer_only_what_was_closed_and_stands_counts(
    name: str, answer: str, expected: str, form: str, closed: bool
) -> None:
    assert read(name, THOUGHT + form.format(answer), "length") == (expected if closed else None)


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("A B(C)\n*Tru.e\\boxed{}7 answer:is"), max_size=200), st.sampled_from(sorted(ITEMS)))
def test_a_cut_answer_is_never_read_by_its_last_line(text: str, name: str) -> None:
    extraction = get(name).extract(text, ITEMS[name], cut=True)
    assert extraction is None or extraction.rule.split(",")[0] in ("statement", "boxed")
    assert {span.rule for span in candidates(text, cut=True)} <= {"statement", "boxed"}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("a</think>\n\nAnswer: 5\n</think>", "\n\nAnswer: 5\n</think>"),
        ("a</think>\n\nAnswer: 5\n</think><|im_end|>\n", "\n\nAnswer: 5\n</think><|im_end|>\n"),
        ("a</think> b </think> c", " c"),
        ("a</think>\n", "\n"),
        ("a</think> </think>", ""),
        ("so 5</think>", ""),
    ],
)
def test_a_stray_closing_mark_does_not_empty_the_answer(text: str, answer: str) -> None:
    parts = split(text, "stop")
    assert (parts.answer, text[parts.answer_start or 0 :]) == (answer, answer)


def test_full_stops_of_names_end_no_sentence() -> None:
    text = "J. J. Abrams moved from St. Louis to Washington, D.C. in 1.5 years. Then he left."
    assert sentence_ends(text) == [text.index("years.") + 6, len(text)]


def test_every_kind_has_cases_of_its_own() -> None:
    counts = Counter(row["benchmark"] for row in OWN)
    assert set(counts) == set(ITEMS) and min(counts.values()) >= 60
