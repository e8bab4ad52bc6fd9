"""The benchmark that the guide works through loads its data and grades answers as the guide says."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from benchmarks.base import Benchmark, DataSource

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "capitals"


@pytest.fixture(scope="module")
def capitals() -> Benchmark:
    spec = importlib.util.spec_from_file_location("capitals_example", EXAMPLE / "capitals.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.Capitals()


def test_its_questions_are_read(capitals: Benchmark) -> None:
    items = capitals.load(DataSource(EXAMPLE))
    assert len(items) == capitals.questions == 8 and items[0].fields == {"country": "France"} and items[0].gold == ("Paris",)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("Paris", True),
        ("The answer is **Paris**.", True),
        ("The capital of France is Lyon.", False),
        ("Parisian", False),
        ("", False),
    ],
)
def test_an_answer_is_graded(capitals: Benchmark, answer: str, right: bool) -> None:
    item = capitals.load(DataSource(EXAMPLE))[0]
    assert capitals.grade(answer, item).correct is right
