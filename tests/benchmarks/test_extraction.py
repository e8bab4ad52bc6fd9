"""Extraction and grading: small endings in the manner of real outputs, then the real outputs themselves."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.base import DataSource, Grade, Item
from benchmarks.metrics import exact_match, f1, normalise
from benchmarks.parts import split, was_cut
from benchmarks.registry import get

DAY = Item("1", {"input": "Options:\n(A) 6pm to 9pm\n(B) 7am to 11am\n(C) 1pm to 2pm\n(D) 2pm to 6pm"}, ("A",))
PLAIN = Item("1", {}, ("x",))
RULE = Item("1", {"premises": "Birds fly. Rex is a bird.", "conclusion": "Rex can fly."}, ("True",))

TEMPORAL = [
    ("The answer is (A).", "A"),
    ("**Final Answer:** (B) 7am to 11am", "B"),
    ("Final Answer:\n\\boxed{C}", "C"),
    ("So \\boxed{\\text{(D)}}", "D"),
    ("**Answer: (A)**", "A"),
    ("It cannot be A.\nThe answer is not (B) but (C).", "C"),
    ("(A) is busy. (B) is busy. So between **1pm and 2pm** she was free.", "C"),
    ("The correct answer is (D) 2pm to 6pm.\n\nWhy? (A) is closed and (B) is taken.", "D"),
    ("**Answer:** (C) 1pm to 2pm and (D) 2pm to 6pm", None),
    ("(C) 1pm to 2pm\n\nThere is no option for the correct answer.", "C"),
    ("D) 2pm to 6pm\nThe answer is:", "D"),
    ("(A) is busy.\nSo between **1pm and 2pm** she was free.", "C"),
    ("(A) and (B) are busy.\nNone of the others fits.", None),
    ("None of the options fits.", None),
    ("So **6pm to 9pm** was free.\n\\boxed{\\text{None of the given times}}", None),
    ("Answer: it is not (B), it is not (C), so (D)", "D"),
    ("Answer: （Ｂ）", "B"),
    ("\\boxed{A} or rather \\boxed{C}", "C"),
    ("The answer isn't (A) nor option B.\nThe answer is: C", "C"),
    ("A man saw her. Answer: A", "A"),
    ("The answer is A and B.", None),
    ("The answer is \\textbf{(b)}.", "B"),
    ("", None),
]
FOLIO = [
    ("**Answer:** The conclusion is false.", "False"),
    ("The conclusion is **uncertain**. A premise is true, though.", "Uncertain"),
    ("Premise 1 is true.\n**Conclusion:** The conclusion cannot be determined.", "Uncertain"),
    ("The answer is Unknown.", "Uncertain"),
    ("Final answer: \\boxed{True}", "True"),
    ("The conclusion is not true.", "False"),
    ("Tom is a turkey.", None),
    ("**Final Answer:** Rex can fly.", "True"),
    ("The conclusion is supported by the premises.", "True"),
    ("Thus, the conclusion is invalid.", "False"),
    ("The conclusion is neither true nor false.", "Uncertain"),
    ("Answer: It cannot be determined from the premises.", "Uncertain"),
    ("Answer: unknown", "Uncertain"),
    ("It is impossible to say.", "Uncertain"),
    ("Answer: TRUE!!!", "True"),
    ("The answer is true. No wait.\nAnswer: false", "False"),
    ("", None),
]
AIME = [
    ("so \\[ \\boxed{033} \\]", "33"),
    ("m+n = 13. Thus, the final answer is \\(\\boxed{105}\\).", "105"),
    ("The answer is **204**.", "204"),
    ("There is no solution.", None),
    ("First \\boxed{12}, no: \\boxed{ 7 }", "7"),
    ("\\boxed{204 \\text{ cm}^2}", "204"),
    ("\\boxed{\\frac{7}{2}}", None),
    ("\\boxed{m+n = \\boxed{13}}", "13"),
    ("\\boxed{-5}", None),
    ("\\boxed{3.7}", None),
    ("The answer is 1,024.", "1024"),
    ("\\boxed{000}", "0"),
    ("The answer is $\\$902$.", "902"),
    ("答えは \\boxed{３３}", "33"),
    ("\\boxed{٣٣}", "33"),
    ("\\boxed{" + "9" * 6_000 + "}", "9" * 6_000),
    ("\\boxed{}", None),
    ("Answer: 70°", "70"),
    ("\\boxed{33 \\pmod{1000}}", "33"),
    ("The answer is 33 (mod 1000), a model of 12.", "33"),
    ("Answer: 2024 mod 1000 = 24", "24"),
]
MUSIQUE = [
    ("**Final Answer:** Accra.", "Accra"),
    ("The father is **Robert Peel**.", "Robert Peel"),
    ("César Gaytán", "César Gaytán"),
    ("**Final Answer**\nShe died in the year **1643**.", "1643"),
    ("\\boxed{\\text{Robert Peel}}", "Robert Peel"),
    ("The population of that state is approximately 6,093,580.", "6,093,580"),
    ("The group behind this performance was formed in 2006.", "2006"),
    ("The person in question is likely Martin Luther, who wrote it.", "Martin Luther"),
    ("It is the **Football Association (FA)**.", "Football Association (FA)"),
    ("The spouse of the man in *Iron Man* is Ada (born Byron).", "Ada (born Byron)"),
    ("**Answer:** [Accra]", "Accra"),
    ("", None),
    ("...", None),
]
CASES = [
    (name, text, item, expected)
    for name, rows, item in (
        ("temporal", TEMPORAL, DAY),
        ("folio", FOLIO, RULE),
        ("aime", AIME, PLAIN),
        ("musique", MUSIQUE, PLAIN),
    )
    for text, expected in rows
]


@pytest.mark.parametrize(("name", "text", "item", "expected"), CASES)
def test_endings(name: str, text: str, item: Item, expected: str | None) -> None:
    found = get(name).extract(text, item)
    assert (found.answer if found else None) == expected


@given(st.text(alphabet=st.characters(), max_size=300), st.sampled_from(["aime", "folio", "temporal", "musique"]))
def test_any_text_is_graded(text: str, name: str) -> None:
    grade = get(name).grade(text, DAY)
    if grade.extraction is not None:
        assert 0 <= grade.extraction.start <= grade.extraction.end <= len(text)
    assert grade.correct in (None, True, False)
    assert 0 <= (grade.f1 or 0) <= 1


@given(st.text(max_size=100))
def test_normalisation_settles(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


def test_em_and_f1() -> None:
    assert exact_match("The Apple Corps.", ["apple corps"]) == 1
    assert f1("Apple Corps of London", ["Apple Corps", "nothing"]) == pytest.approx(2 * 0.5 * 1 / 1.5)
    assert f1("Paris", ["London"]) == 0


@pytest.mark.parametrize(
    ("text", "reason", "answer", "start"),
    [
        ("so</think> A </think> B", "stop", " B", 21),
        ("no mark", "stop", "no mark", 0),
        ("no mark", None, "no mark", 0),
        ("no mark", "length", "", None),
        ("loops", "repetition", "", None),
    ],
)
def test_thinking_and_answer(text: str, reason: str | None, answer: str, start: int | None) -> None:
    parts = split(text, reason)
    assert (parts.answer, parts.answer_start) == (answer, start)


@pytest.mark.parametrize(
    ("task", "name", "parsed", "right"),
    [("AIME_2024", "aime", 28, 16), ("FOLIO", "folio", 203, 143), ("temporal_sequences", "temporal", 229, 200)],
)
def test_real_outputs(real_data: Path, task: str, name: str, parsed: int, right: int) -> None:
    """Counts on 483 outputs of a 4-bit model, against which every change of a rule is held."""
    grades = _grades(real_data, task, name)
    assert (sum(g.extraction is not None for g in grades), sum(bool(g.correct) for g in grades)) == (parsed, right)


def test_real_outputs_of_musique(real_data: Path) -> None:
    grades = _grades(real_data, "MuSiQue100", "musique")
    assert (sum(g.em or 0 for g in grades), sum(g.strict_em or 0 for g in grades)) == (5, 0)
    assert sum(g.f1 or 0 for g in grades) == pytest.approx(8.93, abs=0.005)
    read = [g.extraction.answer if g.extraction else None for g in grades]
    assert {row: read[row] for row in READ} == READ


READ = {
    0: "Magic Christian Music", 4: "the Republic of New Hampshire", 7: None, 8: "all provincial governors and local officials", 9: "1979", 10: "Martin Luther", 12: None,
    13: "Moshe Rabbeinu", 14: None, 18: "the 12th century BCE", 19: "3rd generation", 22: "December 4, 2020", 25: "6,093,580", 27: None, 31: "1940", 33: "David Wolter",
    37: "University of California, Los Angeles (UCLA)", 40: "Raytheon Technologies", 41: "Elizabeth Olsen", 42: "the 15th century", 44: None, 45: None, 47: "1972", 53: "1890",
    57: None, 58: "San Diego, California", 61: "10:00 AM on Sundays", 62: "West Pomeranian Voivodeship", 63: "1965", 64: "2006", 66: "1981", 72: "Sea, Air, and Land", 76: "1787",
    80: "Best Original Score", 85: "330 BC", 86: "Bishop Carlos Filipe Ximenes Belo", 90: "Arsenal", 94: "Scottish Football Association (SFA)", 97: "her husband", 99: "Her husband, Jay-Z",
}  # fmt: skip
"""Rows of the 100 whose answers stand in sentences, as a reader reads them."""


def _grades(folder: Path, task: str, name: str) -> list[Grade]:
    """The grades of the published outputs of one benchmark, question by question."""
    benchmark = get(name)
    items = benchmark.load(DataSource(folder))
    with gzip.open(folder / "traces_shared.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["task"] == task]
    grades: dict[int, Grade] = {}
    for row in rows:
        index = int(re.findall(r"(\d+)\.txt$", row["path"])[0])
        reason = "length" if row["label"] == "collapsed" else "stop"
        grades[index] = benchmark.grade(split(row["output"], reason).answer, items[index], was_cut(reason))
    return [grades[index] for index in sorted(grades)]
